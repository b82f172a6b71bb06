"""Packed rows: their order, the runs in it, and the days that they make stale."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from service.database.binary_arrays import Ints, doubles, ints, moments
from service.ingest.copy_rows import moment, pack, pack_key, runs, stale_quarters, touched
from service.model.pg_time import QUARTER
from service.model.reading import Row

USERS = {"ann": 7, "bea": 300}
DEVICES = {"watch": 1, "phone": 70_000}
PACKED_USERS = {name: pack_key(key) for name, key in USERS.items()}
PACKED_DEVICES = {name: pack_key(key) for name, key in DEVICES.items()}
instants = st.integers(-3 * QUARTER, 3 * QUARTER) | st.sampled_from([-QUARTER, -1, 0, 1, QUARTER - 1, QUARTER])
metrics = st.tuples(st.none() | st.just(60.5), st.none() | st.just(3), st.none() | st.just(0.25))
rows = st.lists(
    st.builds(
        lambda user, device, at, values: Row(user, device, at, *values),
        st.sampled_from(list(USERS)),
        st.sampled_from(list(DEVICES)),
        instants,
        metrics,
    ),
    max_size=30,
)


def sources(batch: list[Row]) -> dict[tuple[int, int], list[int]]:
    """The moments of each user and device."""
    found: dict[tuple[int, int], list[int]] = {}
    for row in batch:
        found.setdefault((USERS[row.user_id], DEVICES[row.device_id]), []).append(row.timestamp)
    return found


@given(rows)
def test_runs_are_of_one_user_and_device(batch: list[Row]) -> None:
    packed = pack(batch, PACKED_USERS, PACKED_DEVICES)
    wanted = sorted((key, len(times), min(times), max(times)) for key, times in sources(batch).items())
    found = [
        (struct.unpack(">i4xi", packed[run.start][6:18]), run.end - run.start, run.first, run.last)
        for run in runs(packed)
    ]
    assert found == wanted
    after_2000 = [row for row in packed if moment(row) >= 0]
    assert after_2000 == sorted(after_2000, key=lambda row: (*struct.unpack(">i4xi", row[6:18]), moment(row)))


@given(rows, st.integers(-3 * QUARTER, 3 * QUARTER))
def test_exactly_the_quarters_below_the_horizon_are_stale(batch: list[Row], announced: int) -> None:
    wanted = {(USERS[row.user_id], row.timestamp // QUARTER * QUARTER) for row in batch if row.timestamp < announced}
    found = stale_quarters(pack(batch, PACKED_USERS, PACKED_DEVICES), announced)
    assert len(found) == len(set(found))
    assert set(found) == wanted


@given(rows)
def test_touched_tells_how_many_and_from_when_to_when(batch: list[Row]) -> None:
    users, times = touched(pack(batch, PACKED_USERS, PACKED_DEVICES))
    assert len(users) == (20 + 8 * len(batch) if batch else 12)
    count = len(batch)
    keys = struct.unpack(">" + "4xi" * count, users[20:]) if batch else ()
    instants = struct.unpack(">" + "4xq" * count, times[20:]) if batch else ()
    told: dict[int, list[int]] = {}
    for key, at in zip(keys, instants, strict=True):
        told.setdefault(key, []).append(at)
    wanted: dict[int, list[int]] = {}
    for row in batch:
        wanted.setdefault(USERS[row.user_id], []).append(row.timestamp)
    assert {key: (len(of), min(of), max(of)) for key, of in told.items()} == {
        key: (len(of), min(of), max(of)) for key, of in wanted.items()
    }


def test_arrays_say_where_nothing_is() -> None:
    assert ints([1, None])[4:8] == doubles([None])[4:8] == struct.pack(">i", 1)
    assert ints([1, 2])[4:8] == moments([5])[4:8] == struct.pack(">i", 0)
    assert ints([]) == Ints(struct.pack(">iii", 0, 0, 23))
