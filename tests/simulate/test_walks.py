"""Walks: what the devices send adds up to what was walked, in the order in which devices send."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any
from zlib import crc32

import pytest

from scripts.simulate.options import parse
from scripts.simulate.walks import DAY, PHONE, WATCH, carried, steps_between, syncs, walked, worn
from service.model.fields import Bounds
from service.model.reading import READING, to_row
from tests.support.metrics import REGISTRY

SEED, LENGTH = 7, 10
TODAY = 20_100
START, END = TODAY * DAY, (TODAY + 3) * DAY
USERS = [str(101 * number) for number in range(1, 6)]
BOUNDS = Bounds(datetime(1970, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC), REGISTRY)


def minute_of(text: str) -> int:
    seconds = (datetime.fromisoformat(text) - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(seconds=1)
    assert seconds % 60 == 0
    return int(seconds) // 60


def sent(user: str, late: float = 0.3) -> list[dict[str, Any]]:
    return [reading for sync in syncs(SEED, user, START, END, LENGTH, late) for reading in sync.readings]


def minutes_where(user: str, what: Any) -> set[int]:
    days = range(START // DAY, END // DAY)
    return {day * DAY + minute for day in days for minute, found in enumerate(what(SEED, user, day)) if found}


@pytest.mark.parametrize("user", USERS)
def test_a_day_has_as_many_steps_as_a_person_walks(user: str) -> None:
    steps = walked(SEED, user, TODAY)
    assert len(steps) == DAY
    assert 2_000 < sum(steps) < 40_000
    assert max(steps) < 300
    assert steps_between(SEED, user, START, END) == sum(sum(walked(SEED, user, day)) for day in range(TODAY, TODAY + 3))


@pytest.mark.parametrize("user", USERS)
def test_the_watch_counts_the_minutes_in_which_it_is_worn(user: str) -> None:
    readings = [one for one in sent(user) if one["device_id"] == WATCH]
    on = minutes_where(user, worn)
    windows = [(minute_of(one["timestamp"]), minute_of(one["end"])) for one in readings if one.get("worn")]
    covered = [minute for first, last in windows for minute in range(first, last)]
    assert len(covered) == len(set(covered))
    assert set(covered) == on
    assert len(on) < END - START
    counted = {minute_of(one["timestamp"]): one["steps"] for one in readings if "steps" in one}
    right = {minute: walked(SEED, user, minute // DAY)[minute % DAY] for minute in on}
    assert counted == {minute: steps for minute, steps in right.items() if steps}


@pytest.mark.parametrize("user", USERS)
def test_the_last_totals_of_the_phone_are_what_was_walked_with_it(user: str) -> None:
    last: dict[int, dict[str, Any]] = {}
    grown = 0
    for one in sent(user):
        if one["device_id"] == PHONE:
            first = minute_of(one["timestamp"])
            grown += first in last and last[first]["end"] < one["end"]
            assert first not in last or (last[first]["end"], last[first]["steps"]) <= (one["end"], one["steps"])
            last[first] = one
    is_cut_by_syncs = crc32(user.encode()) % LENGTH > 0
    assert (grown > 0) is is_cut_by_syncs
    with_it = minutes_where(user, carried)
    assert minutes_where(user, worn) | with_it == set(range(START, END)), "one of the two always counts"
    for first, one in last.items():
        minutes = range(first, minute_of(one["end"]))
        if first >= START:
            assert one["steps"] == sum(
                walked(SEED, user, minute // DAY)[minute % DAY] for minute in minutes if minute in with_it
            )
    starts = {first // LENGTH for first in last}
    assert len(starts) == len(last), "intervals of one phone do not overlap"


def test_what_is_sent_is_valid_and_in_the_order_of_each_device() -> None:
    for user in USERS:
        arrived: dict[str, list[int]] = defaultdict(list)
        for sync in syncs(SEED, user, START, END, LENGTH, 0.5):
            for reading in sync.readings:
                row = to_row(READING.validate_python(reading, context=BOUNDS))
                assert row.intervals
            if sync.readings:
                arrived[sync.readings[0]["device_id"]].append(max(minute_of(one["end"]) for one in sync.readings))
        for ends in arrived.values():
            assert ends == sorted(ends)
        orders = [sync.minute for sync in syncs(SEED, user, START, END, LENGTH, 0.5)]
        assert orders == sorted(orders)
        assert orders[-1] > END, "something is late"


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ("--walks 10m", "--history"),
        ("--walks 90s --history 1d", "whole minutes"),
        ("--walks 2h --history 1d", "between"),
    ],
)
def test_walks_that_cannot_be(arguments: str, problem: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(arguments.split())
    assert problem in capsys.readouterr().err
    assert parse(["--walks", "10m", "--history", "1d"]).walks == 600
