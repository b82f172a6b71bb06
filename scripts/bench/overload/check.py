"""Compare what was sent with what is stored, block by block, and rollups and answers with raw readings."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import psycopg

from scripts.bench.database import connect, value
from scripts.bench.overload.workload import Kind, Ledger

READINGS = Path(__file__).with_name("check.sql").read_bytes()
EVENTS = Path(__file__).with_name("check_events.sql").read_bytes()
ANSWERS = Path(__file__).with_name("check_answers.sql").read_bytes()
STALE = "SELECT count(*) FROM core.stale_day"
REFRESH_SECONDS = 1800.0
AT_A_TIME = 20_000
SHOWN = 3


class Found(NamedTuple):
    """The result of a comparison."""

    readings: int
    """Stored readings."""
    certain: int
    """Acknowledged readings, which must be stored."""
    faults: list[str]
    """Descriptions of the first few wrong blocks."""
    wrong: int
    """Number of wrong blocks."""


def compare(url: str, ledgers: Sequence[Ledger]) -> Found:
    """Compare every block; the database aggregates, so memory stays small."""
    stored = certain = wrong = 0
    faults: list[str] = []
    for ledger in ledgers:
        found = compare_kind(url, ledger)
        stored, certain, wrong = stored + found.readings, certain + found.certain, wrong + found.wrong
        faults += found.faults
    return Found(stored, certain, faults, wrong)


def compare_kind(url: str, ledger: Ledger) -> Found:
    """Compare the blocks of one kind."""
    kind = ledger.kind
    seen = bytearray(len(ledger.sent))
    stored, faults, wrong = 0, [], 0
    with psycopg.connect(url, options="-c timezone=UTC") as connection, connection.cursor("blocks") as cursor:
        cursor.itersize = AT_A_TIME
        cursor.execute(EVENTS if kind.is_events else READINGS, arguments(kind))
        for block, readings, oldest, newest, is_right in cursor:
            stored += readings
            if 0 <= block < len(seen):
                seen[block] = 1
            if problem := fault(ledger, block, readings, oldest, newest, is_right):
                wrong += 1
                faults.append(f"{kind.name}, block {block}: {problem}")
                del faults[SHOWN:]
    answered = [block for block, version in enumerate(ledger.answered) if version]
    missing = [block for block in answered if not seen[block]]
    if missing:
        faults.append(f"{kind.name}, block {missing[0]} and {len(missing) - 1} others: answered, and nothing is stored")
    return Found(stored, len(answered) * kind.size, faults, wrong + len(missing))


def arguments(kind: Kind) -> dict[str, object]:
    """Return the parameters of the statement for a kind."""
    people = kind.name if kind.is_events else f"^{kind.number}\\d{{6}}$"
    return {**kind._asdict(), "people": people, "of": kind.people}


def fault(ledger: Ledger, block: int, readings: int, oldest: int, newest: int, is_right: bool) -> str:
    """Return what is wrong with a stored block, "" for nothing."""
    size = ledger.kind.size
    if not 0 <= block < len(ledger.sent):
        return "was never sent"
    sent, answered = ledger.sent[block] - 1, ledger.answered[block] - 1
    if readings > size or (answered >= 0 and readings != size):
        return f"{readings} of {size} readings are stored"
    if not is_right:
        return "has values that were not sent"
    if not ledger.kind.is_events and (oldest < answered or newest > sent):
        return f"has versions {oldest} to {newest}, but {answered} was answered and {sent} sent last"
    return ""


class Verified(NamedTuple):
    """Rollups compared with raw readings."""

    buckets: int
    differ: int
    stale: int
    """Days that were not refreshed in time."""

    @property
    def holds(self) -> bool:
        """Return whether there are buckets and all are equal."""
        return self.buckets > 0 and not self.differ and not self.stale

    @property
    def figure(self) -> str:
        """Return the counts as text."""
        return f"{self.buckets:,} buckets, {self.differ:,} differ, {self.stale:,} stale days left"


def verify(url: str, say: Callable[[str], None]) -> Verified:
    """Refresh the rollups of everything before today, and compare them with raw readings."""
    began = time.monotonic()
    with connect(url) as connection:
        connection.execute(
            "SELECT alter_job(job_id, scheduled => false) FROM timescaledb_information.jobs WHERE proc_schema = 'core'"
        )
        # While the job's own refresh runs, this one returns at once.
        while (stale := value(connection, STALE)) and time.monotonic() < began + REFRESH_SECONDS:
            say(f"  {stale:,} stale days")
            connection.execute("CALL api.refresh()")
            time.sleep(0.1)
        row = connection.execute(
            "SELECT count(*), count(*) FILTER (WHERE problem IS NOT NULL)"
            " FROM api.verify(now() - INTERVAL '60 days', now())"
        ).fetchone()
    assert row is not None
    say(f"  refreshed and verified in {time.monotonic() - began:.0f} s")
    return Verified(int(row[0]), int(row[1]), int(stale))


def wrong_answers(url: str, people: int) -> tuple[int, int]:
    """Compare summaries of ragged ranges of `people` users with raw readings; return how many were asked and differ."""
    with connect(url) as connection:
        row = connection.execute(ANSWERS, {"people": people}).fetchone()
    assert row is not None
    return int(row[0]), int(row[1])
