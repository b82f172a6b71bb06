"""Folding: the outcomes and the stored rows are those of writing the readings one after the other."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from service.ingest.dedupe import Identity, plan_upserts
from service.ingest.dedupe import metrics as of
from service.model.reading import Row
from tests.support.examples import examples

NOON = 790_257_600_000_000
Metrics = tuple[float | None, int | None, float | None]
Stored = dict[str, Metrics]
few = st.none() | st.integers(1, 2)
metrics = st.tuples(few, few, few).filter(lambda values: values != (None, None, None))
readings = st.lists(st.tuples(st.sampled_from("ab"), metrics), max_size=12)


def row(user_id: str, values: Metrics) -> Row:
    return Row(user_id, "watch", NOON, *values)


def identities(rows: Sequence[Row]) -> list[Identity]:
    """The keys and moments of readings."""
    return [(row.user_id.encode(), row.device_id.encode(), row.timestamp) for row in rows]


def upsert(stored: Stored, written: Row) -> str:
    """Write one reading as the database does."""
    before = stored.get(written.user_id)
    old = before or (None, None, None)
    after = tuple(a if b is None else b for a, b in zip(old, of(written), strict=True))
    stored[written.user_id] = after
    return "inserted" if before is None else "unchanged" if before == after else "updated"


@settings(max_examples=examples(500))
@given(st.dictionaries(st.sampled_from("ab"), metrics), readings)
def test_folding_changes_no_outcome(before: Stored, sent: list[tuple[str, Metrics]]) -> None:
    rows = [row(*reading) for reading in sent]
    one_by_one = dict(before)
    expected = [upsert(one_by_one, written) for written in rows]

    in_passes = dict(before)
    passes, outcomes = plan_upserts(rows, identities(rows))
    for one_pass in passes:
        written = [write.identity for write in one_pass]
        assert len(set(written)) == len(written)
        for write in one_pass:
            outcome = upsert(in_passes, write.row)
            if write.item is not None:
                outcomes[write.item] = outcome

    assert [outcomes[item] for item in range(len(rows))] == expected
    assert in_passes == one_by_one
    assert len(passes) <= 6


def test_many_of_one_identity_take_few_passes() -> None:
    rows = [row("a", (60 + item % 2, None, None)) for item in range(5000)]
    passes, certain = plan_upserts(rows, identities(rows))
    assert len(passes) == 2
    assert len(certain) == 4999


def test_users_of_one_name_in_two_tenants_are_not_merged() -> None:
    rows = [row("a", (60, None, None)), row("a", (61, None, None))]
    keys: list[Identity] = [(b"one", b"watch", NOON), (b"two", b"watch", NOON)]
    (writes,), certain = plan_upserts(rows, keys)
    assert [write.row for write in writes] == rows
    assert [write.identity for write in writes] == keys
    assert [write.item for write in writes] == [0, 1]
    assert not certain
