"""Statistics of several processes: what is counted is added up, and an ended process keeps only its counts."""

from __future__ import annotations

import asyncio
import os
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from service.errors import Fault
from service.metrics import worker_stats
from service.metrics.counters import BOUNDS, Counters, RequestKey
from service.metrics.worker_stats import WorkerStats, aggregate, of_this_process, publishing

KEY = RequestKey("GET", "/health", 200)
POOL = {"pool_size": 4, "requests_wait_ms": 30, "requests_errors": 1}
WRONG = Fault(at="readings[3].heart_rate", problem="must be between 20 and 250", value=900)


def counted() -> Counters:
    """Count two requests, two readings and a rejected one."""
    counters = Counters()
    for seconds in (0.0005, 99.0):
        counters.requests[KEY].observe(seconds)
    counters.count_items("readings", inserted=2)
    counters.count_rejected("readings", [WRONG])
    return counters


def measured() -> WorkerStats:
    return of_this_process(counted(), POOL, queued_readings=5, live_clients=7, reads={}, replicas={})


def test_each_object_counts_for_itself() -> None:
    counted()
    assert of_this_process(Counters(), {}, 0, 0, {}, {}) == WorkerStats([], {}, [], {})


def test_processes_are_added_up() -> None:
    one = measured()
    both = aggregate([one, measured()])
    assert both.requests == [(KEY, [2, *[0] * (len(BOUNDS) - 1), 2], 2 * 99.0005)]
    assert both.items == {"readings": {"inserted": 4, "rejected": 2}}
    ((field, problem, times, last),) = both.rejections
    assert (field, problem, times) == ("heart_rate", "must be between 20 and 250", 2)
    assert last > one.rejections[0][3]
    assert both.pool == {name: 2 * number for name, number in POOL.items()}
    assert (both.queued_readings, both.live_clients) == (10, 14)
    assert one.requests[0][1][0] == 1, "what was added up is as it was"


def test_the_newest_rejections_are_first() -> None:
    old, new = (datetime(2025, 1, day, tzinfo=UTC) for day in (1, 2))
    first = WorkerStats([], {}, [("a", "is required", 1, old)], {})
    second = WorkerStats([], {}, [("b", "is required", 1, new)], {})
    assert [entry[0] for entry in aggregate([first, second]).rejections] == ["b", "a"]


def test_what_others_published_is_aggregated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(worker_stats.DIRECTORY, str(tmp_path))
    (tmp_path / "1").write_bytes(msgspec.json.encode(measured()))
    (tmp_path / f"2{worker_stats.ENDED}").write_bytes(msgspec.json.encode(measured()))
    (tmp_path / "3").write_bytes(b"{")
    (tmp_path / "4.part").write_bytes(msgspec.json.encode(measured()))

    async def publish() -> WorkerStats:
        async with publishing(measured) as stats:
            await asyncio.sleep(0.05)
            return stats.aggregated()

    found = asyncio.run(publish())
    assert found.items == {"readings": {"inserted": 6, "rejected": 3}}
    assert found.pool == {"pool_size": 8, "requests_wait_ms": 90, "requests_errors": 3}
    assert (found.queued_readings, found.live_clients) == (10, 14)
    published = msgspec.json.decode((tmp_path / str(os.getpid())).read_bytes(), type=WorkerStats)
    assert published.items == {"readings": {"inserted": 2, "rejected": 1}}
    assert published.requests[0][0] == KEY


def test_one_process_publishes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(worker_stats.DIRECTORY, raising=False)

    async def measure() -> WorkerStats:
        async with publishing(measured) as stats:
            return stats.aggregated()

    assert asyncio.run(measure()).queued_readings == 5
