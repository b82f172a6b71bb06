"""Log lines: JSON where something collects them, text where someone reads them; both with time, level and logger."""

from __future__ import annotations

import json
import logging
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextvars import ContextVar
from datetime import UTC, datetime
from traceback import TracebackException
from typing import Any, Literal

import psycopg

LogFormat = Literal["json", "text"]

# Returns the id of the request that the running task answers; not set outside of requests.
REQUEST_ID: ContextVar[Callable[[], str]] = ContextVar("request_id")

SELDOM_SECONDS = 10.0

encode = json.JSONEncoder(default=str).encode


class DiscreetFormatter(logging.Formatter):
    """Writes tracebacks in which an error of the database is its SQLSTATE and message: its detail may hold a row."""

    def formatException(self, ei: Any) -> str:  # noqa: N802 (the name is logging's)
        """Write a traceback, with what caused the error."""
        written = TracebackException(*ei, compact=True)
        hide_details(written, ei[1], set())
        return "".join(written.format()).rstrip("\n")


def hide_details(written: TracebackException | None, error: BaseException | None, seen: set[int]) -> None:
    """Put what may be said of each error in a chain in place of its text."""
    if written is None or error is None or id(error) in seen:
        return
    seen.add(id(error))
    if isinstance(error, psycopg.Error):
        written._str = described(error)  # type: ignore[attr-defined]
    hide_details(written.__cause__, error.__cause__, seen)
    hide_details(written.__context__, error.__context__, seen)
    for inner, one in zip(written.exceptions or (), getattr(error, "exceptions", ()), strict=False):
        hide_details(inner, one, seen)


def described(error: BaseException) -> str:
    """Return the first line of what an error says, behind its SQLSTATE if any; its class where it says nothing."""
    line = (str(error).strip().splitlines() or [type(error).__name__])[0]
    sqlstate = getattr(error, "sqlstate", None)
    return f"{sqlstate}: {line}" if sqlstate else line


class JsonFormatter(DiscreetFormatter):
    """Writes a record as one line of JSON: time, level, logger, message, what it is about, and the traceback if any."""

    def format(self, record: logging.LogRecord) -> str:
        """Write a record."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")[:-6] + "Z",
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **fields_of(record),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return encode(line)


class TextFormatter(DiscreetFormatter):
    """Writes a record as a line of text, with what it is about at the end, and the traceback below if there is one."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s", "%Y-%m-%d %H:%M:%S")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 (the name is logging's)
        """Write the line; the traceback is added below it."""
        return super().formatMessage(record) + "".join(f" {name}={value}" for name, value in fields_of(record).items())


class SeldomWarnings(logging.Filter):
    """Lets each warning of the HTTP server pass every ten seconds, with how many were left out before it.

    Strangers cause one with each request that is no HTTP, or has too large a head, and would fill the disk.
    """

    def __init__(self) -> None:
        super().__init__()
        self.again: dict[str, float] = {}
        self.left_out: Counter[str] = Counter()

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a record is logged."""
        if not record.name.startswith("uvicorn") or record.levelno != logging.WARNING:
            return True
        now = time.monotonic()
        if now < self.again.get(record.msg, now):
            self.left_out[record.msg] += 1
            return False
        self.again[record.msg] = now + SELDOM_SECONDS
        if count := self.left_out.pop(record.msg, 0):
            record.fields = {"left_out": count}
        return True


def fields_of(record: logging.LogRecord) -> dict[str, Any]:
    """Return what a record is about: the id of the request, if any, and the fields given as `extra={"fields": …}`."""
    fields: dict[str, Any] = getattr(record, "fields", {})
    request_id = current_request_id()
    return {"request_id": request_id, **fields} if request_id else fields


def current_request_id() -> str:
    """Return the id of the request that the running task answers; empty outside of requests."""
    request_id = REQUEST_ID.get(None)
    return "" if request_id is None else request_id()


def set_up_logging(chosen: LogFormat | None = None) -> None:
    """Log to standard error from level INFO on; unless a format is chosen, as text where that is a terminal."""
    as_text = chosen == "text" or (chosen is None and sys.stderr.isatty())
    handler = logging.StreamHandler()
    handler.setFormatter(TextFormatter() if as_text else JsonFormatter())
    handler.addFilter(SeldomWarnings())
    # No format names them, and looking them up takes half the time of a line.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    # It warns of each failed attempt to connect; the service itself logs when the database is away.
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)
