"""The reports run, and answer the question in their first line from what is there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from service.schema import SQL

REPORTS = sorted((SQL / "reports").glob("*.sql"))
EMPTY_WITHOUT_SILENCE = {"silent_users"}


def fill(db: psycopg.Connection) -> None:
    """Some readings of the last hours, and an event."""
    now = datetime.now(UTC).replace(microsecond=0)
    for minutes in (0, 1, 20, 90):
        db.execute(
            "INSERT INTO api.readings (user_id, ts, heart_rate, steps, calories) VALUES ('ada', %s, 70, 9, 1)",
            [now - timedelta(minutes=minutes)],
        )
    db.execute(
        "SELECT api_internal.write_events("
        "ARRAY['t'], ARRAY['e'], ARRAY['web'], ARRAY['click'], ARRAY[now()], ARRAY[jsonb '{}'])"
    )


@pytest.mark.parametrize("report", REPORTS, ids=lambda path: path.stem)
def test_a_report_answers(db: psycopg.Connection, report: Path) -> None:
    text = report.read_text(encoding="utf-8")
    assert text.startswith("-- ")
    assert text.splitlines()[0].endswith("?")
    fill(db)
    rows = db.execute(text.encode()).fetchall()
    assert bool(rows) is (report.stem not in EMPTY_WITHOUT_SILENCE)


def test_there_are_ten() -> None:
    assert len(REPORTS) >= 10
