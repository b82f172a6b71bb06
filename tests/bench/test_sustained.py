"""`make bench ARGS=sustained` with few people for seconds: rows, correct answers, nothing left; and verdicts."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import psycopg
import pytest

from scripts.bench.__main__ import measure
from scripts.bench.sustained.backlog import StaleMarks, Waiting
from scripts.bench.sustained.extrapolation import sustainable_rate
from scripts.bench.sustained.monitor import Observed, Sample
from scripts.bench.sustained.phones import AGAIN, LIVE, Phones
from scripts.bench.sustained.processor_time import NO_TIME
from scripts.bench.sustained.progress import Progress
from scripts.bench.sustained.refresher import Cycle
from scripts.bench.sustained.search import growth, judge
from tests.support.ports import free_port

SMALL = ["--minutes", "0.04", "--short", "1", "--users", "3", "--most", "300", "--connections", "4"]


def bench(name: str, out: Path, *arguments: str) -> dict[str, dict[str, Any]]:
    """Run with few people; return the rows by name."""
    own = ["--port", str(free_port()), "--database", name, "--json", str(out)]
    # 1 where nothing is kept up, as on a busy machine; tests of verdicts are below. A failure writes no results.
    assert measure(["sustained", *SMALL, *own, *arguments]) in (0, 1)
    found = json.loads(out.read_text())
    assert found["left_out"] == []
    return {row["name"]: row for row in found["rows"]}


def databases(server_url: str, name: str) -> tuple[int] | None:
    """Count the databases whose name begins so."""
    with psycopg.connect(server_url, autocommit=True) as connection:
        return connection.execute("SELECT count(*) FROM pg_database WHERE starts_with(datname, %s)", (name,)).fetchone()


@pytest.mark.usefixtures("prepared_databases")
def test_a_small_run_leaves_nothing(
    server_url: str, is_embedded: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # The run itself checks that each stored reading was acknowledged and that rollups equal raw readings.
    name = f"hyperpulse_bench_{os.getpid()}"
    monkeypatch.setenv("BENCH_DATABASE_URL", server_url)
    rows = bench(name, tmp_path / "out.json", "--only", "hyperpulse")
    kept_up, alone = rows["Hyperpulse"], rows["Hyperpulse, ingest alone"]
    assert kept_up["age"] < 120
    assert alone["note"] == ""
    assert kept_up["note"] == "" or not kept_up["is_kept_up"]
    assert kept_up["readings"] > 0 < alone["readings"]
    if not is_embedded:
        assert set(kept_up["cpu"]) == {"service", "copy", "refresh", "rest"}
    assert databases(server_url, name) == (0,)


@pytest.mark.native
def test_plain_continuous_aggregates_beside(server_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    name = f"hyperpulse_bench_{os.getpid()}"
    monkeypatch.setenv("BENCH_DATABASE_URL", server_url)
    (row,) = bench(name, tmp_path / "out.json", "--only", "plain").values()
    assert row["readings"] > 0
    assert databases(server_url, name) == (0,)


def test_arrivals_are_as_said() -> None:
    now = datetime.now(UTC)
    phones = Phones(seed=1, first=1, straps=3, now=now)
    arrivals = list(islice(phones, 20_000))
    readings = sum(arrival.upload.readings for arrival in arrivals if not arrival.is_again)
    late = sum(arrival.upload.readings for arrival in arrivals if arrival.upload.readings > 60 and not arrival.is_again)
    assert 0.75 < late / readings < 0.85
    assert 0.5 * LIVE < sum(arrival.upload.readings == 1 for arrival in arrivals) / readings < 2 * LIVE
    again = [arrival for arrival in arrivals if arrival.is_again]
    assert 0.3 * AGAIN < len(again) / sum(arrival.upload.readings > 60 for arrival in arrivals) < 3 * AGAIN

    first = arrivals[0] if arrivals[0].upload.readings > 1 else next(each for each in arrivals if each.wearer < 1000)
    sent = json.loads(first.body)
    assert len(sent) == first.upload.readings == first.rows.count(b"\n")
    assert {each["user_id"] for each in sent} == {f"wearer-{first.wearer:08d}"}
    moments = [datetime.fromisoformat(each["timestamp"]) for each in sent]
    assert {after - before for before, after in pairwise(moments)} == {timedelta(minutes=1)}
    assert now - timedelta(minutes=2) < moments[-1] < now
    assert first.upload.days == len({moment.date() for moment in moments})

    # Repeated uploads arrive later, and are a part of the first one.
    before = {arrival.wearer: arrival for arrival in arrivals if not arrival.is_again}
    for arrival in again:
        part, whole = json.loads(arrival.body), json.loads(before[arrival.wearer].body)
        assert {each["timestamp"] for each in part} < {each["timestamp"] for each in whole}


def window(days: list[int], *, offered: float = 100.0, arrived: int = 1000, ages: float = 1.0) -> Observed:
    """Return a window with a sample of the backlog a second."""
    progress = Progress(readings=int(offered * len(days)), days=arrived)
    samples = [Sample(second + 1.0, 0, Waiting(waiting, ages)) for second, waiting in enumerate(days)]
    return Observed(offered, float(len(days)), progress, samples, NO_TIME, None)


def test_what_waits_may_not_grow() -> None:
    steady = window([20, 10, 25, 15] * 15)
    assert judge(steady).is_kept_up
    # Of 1000 days that arrive in 100 s, two a second are not refreshed.
    growing = window([2 * second for second in range(100)])
    assert growth(growing) == pytest.approx(0.2)
    assert "grew by 20%" in judge(growing).why
    assert "121 s old" in judge(window([1] * 60, ages=121.0)).why


def test_a_cycle_over_ranges_of_time_bounds_the_rate() -> None:
    cycles = [Cycle(0.0, 9.0, 1.0, 1_000_000), Cycle(0.0, 9.0, 3.0, 3_000_000)]
    assert sustainable_rate(cycles, timedelta(hours=12), 120.0) == pytest.approx(120 / (1e-6 * 43_200))
    assert sustainable_rate([], timedelta(hours=12), 120.0) is None


def test_marks_tell_their_age(db: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    marks = StaleMarks(db)
    with db.transaction(force_rollback=True):
        db.execute("UPDATE core.horizon SET announced = '2026-01-02 00:00Z', materialized = '2026-01-02 00:00Z'")
        assert marks.sample() == (0, 0.0)
        for second in range(1, 4):
            now = float(second)
            db.execute("SELECT api_internal.mark_stale(ARRAY[%s], ARRAY[timestamptz '2026-01-01 12:00Z'])", (second,))
            # The mark was made after the previous sample.
            assert marks.sample() == (second, second - 0.0)
        db.execute("DELETE FROM core.stale_day WHERE user_key = 1")
        assert marks.sample() == (2, 2.0)
        db.execute("DELETE FROM core.stale_day")
        assert marks.sample() == (0, 0.0)
