"""Log lines: one JSON object each for programs, and readable ones for people."""

from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from service.log_format import REQUEST_ID, JsonFormatter, SeldomWarnings, TextFormatter, fields_of


@pytest.fixture
def out() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def log(out: io.StringIO) -> Iterator[logging.Logger]:
    """A logger that writes to `out`."""
    logger = logging.getLogger("hyperpulse.test")
    logger.propagate = False
    logger.setLevel(logging.INFO)
    logger.handlers = [logging.StreamHandler(out)]
    yield logger
    logger.handlers = []


def written(log: logging.Logger, out: io.StringIO) -> dict[str, Any]:
    """Return the one line that was written."""
    (line,) = out.getvalue().splitlines()
    found: dict[str, Any] = json.loads(line)
    return found


def fail(log: logging.Logger) -> None:
    """Log an exception with its traceback."""
    try:
        raise ValueError("two\nlines")
    except ValueError:
        log.exception("it failed", extra={"fields": {"route": "/health"}})


def test_a_line_is_an_object(log: logging.Logger, out: io.StringIO) -> None:
    log.handlers[0].setFormatter(JsonFormatter())
    log.warning('%s "ü\n', 5, extra={"fields": {"status": 200, "when": datetime(2025, 1, 1, tzinfo=UTC)}})
    line = written(log, out)
    at = line.pop("time")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", at)
    assert abs(datetime.now(UTC) - datetime.fromisoformat(at)).total_seconds() < 60
    assert line == {
        "level": "WARNING",
        "logger": "hyperpulse.test",
        "message": '5 "ü\n',
        "status": 200,
        "when": "2025-01-01 00:00:00+00:00",
    }


def test_half_of_a_surrogate_pair_is_escaped() -> None:
    # Not by a logger: pytest keeps what loggers write, and cannot hand it from one process to another.
    line = JsonFormatter().format(logging.makeLogRecord({"msg": "\ud800"}))
    assert line.isascii()
    assert json.loads(line)["message"] == "\ud800"


def test_a_traceback_is_in_the_line(log: logging.Logger, out: io.StringIO) -> None:
    log.handlers[0].setFormatter(JsonFormatter())
    fail(log)
    line = written(log, out)
    assert line["message"] == "it failed"
    assert line["exception"].startswith("Traceback")
    assert line["exception"].endswith("ValueError: two\nlines")


def test_text_is_for_people(log: logging.Logger, out: io.StringIO) -> None:
    log.handlers[0].setFormatter(TextFormatter())
    fail(log)
    first, second, *_ = out.getvalue().splitlines()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d ERROR hyperpulse\.test: it failed route=/health", first)
    assert second.startswith("Traceback")


@pytest.mark.parametrize("formatter", [JsonFormatter(), TextFormatter()])
def test_a_line_about_a_request_has_its_id(log: logging.Logger, out: io.StringIO, formatter: logging.Formatter) -> None:
    log.handlers[0].setFormatter(formatter)
    token = REQUEST_ID.set(lambda: "r-1")
    log.info("within")
    REQUEST_ID.reset(token)
    log.info("outside")
    within, outside = out.getvalue().splitlines()
    assert "r-1" in within
    assert "request_id" not in outside


class Refused(psycopg.errors.CheckViolation):
    """What the database says of a row that breaks a constraint: libpq writes the row behind DETAIL."""

    def __str__(self) -> str:
        return (
            'new row for relation "reading" violates check constraint "heart_rate_in_range"\n'
            "DETAIL:  Failing row contains (ada\nlovelace, 2025-01-15, 900).\nCONTEXT:  COPY reading, line 1: ada"
        )


@pytest.mark.parametrize("formatter", [JsonFormatter(), TextFormatter()])
def test_the_detail_of_an_error_of_the_database_is_not_written(
    log: logging.Logger, out: io.StringIO, formatter: logging.Formatter
) -> None:
    """Neither where it was raised, nor where it is the cause of another, nor one of a group."""
    log.handlers[0].setFormatter(formatter)
    try:
        try:
            raise ExceptionGroup("several", [Refused()])
        except ExceptionGroup:
            try:
                raise Refused
            except Refused as refused:
                raise ValueError("it failed") from refused
    except ValueError:
        log.exception("a request failed")
    text = out.getvalue()
    assert text.count("23514: new row for relation") == 2
    assert "ValueError: it failed" in text
    assert "test_log_format.py" in text
    for secret in ("ada", "lovelace", "900", "DETAIL"):
        assert secret not in text


def test_what_strangers_cause_with_each_request_is_logged_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("service.log_format.time.monotonic", lambda: now)
    seldom = SeldomWarnings()

    def passed(name: str, level: int, count: int) -> list[logging.LogRecord]:
        records = [logging.LogRecord(name, level, "", 0, "Invalid HTTP request received.", (), None)] * count
        return [record for record in records if seldom.filter(record)]

    assert len(passed("uvicorn.error", logging.WARNING, 500)) == 1
    now += 11
    (record,) = passed("uvicorn.error", logging.WARNING, 3)
    assert fields_of(record) == {"left_out": 499}
    assert len(passed("uvicorn.error", logging.ERROR, 3)) == 3
    assert len(passed("hyperpulse", logging.WARNING, 3)) == 3
