"""Samples in passes: the outcomes and what is stored are those of writing the readings one after the other."""

from __future__ import annotations

import struct

from hypothesis import given, settings
from hypothesis import strategies as st

from service.ingest.copy_rows import pack_key
from service.ingest.dedupe import Identity
from service.ingest.outcome import COMBINED, Outcome
from service.ingest.repeats import Merge
from service.ingest.samples import samples_of
from service.model.reading import Row
from tests.support.examples import examples

Stored = dict[tuple[bytes, int], float]
some = st.dictionaries(st.integers(4, 6), st.integers(1, 2).map(float), min_size=1).map(lambda one: tuple(one.items()))
readings = st.lists(st.tuples(st.sampled_from([1, 2]), some), max_size=8)


def write(stored: Stored, user: bytes, samples: tuple[tuple[int, float], ...]) -> int:
    """Write one reading as it should be, and return its outcome."""
    before = [stored.get((user, metric)) for metric, _ in samples]
    stored.update({(user, metric): value for metric, value in samples})
    if all(value is None for value in before):
        return Outcome.inserted
    return 0 if before == [value for _, value in samples] else Outcome.updated


def merge(stored: Stored, columns: dict[str, bytes]) -> tuple[list[int], list[int]]:
    """Write a pass as api_internal.merge_samples does; return the positions of what was inserted and updated."""

    def elements(array: bytes, size: int) -> list[bytes]:
        body = array[20:]
        return [body[at + 4 : at + 4 + size] for at in range(0, len(body), size + 4)]

    users, metrics = elements(columns["user_keys"], 4), elements(columns["metric_keys"], 4)
    values = [struct.unpack(">d", one)[0] for one in elements(columns["values"], 8)]
    names = [(user, struct.unpack(">i", metric)[0]) for user, metric in zip(users, metrics, strict=True)]
    assert len(set(names)) == len(names)
    inserted = [place for place, name in enumerate(names, 1) if name not in stored]
    updated = [
        place
        for place, (name, value) in enumerate(zip(names, values, strict=True), 1)
        if name in stored and stored[name] != value
    ]
    stored.update(zip(names, values, strict=True))
    return inserted, updated


@settings(max_examples=examples(300))
@given(readings, readings)
def test_outcomes_are_those_of_one_after_the_other(
    before: list[tuple[int, tuple[tuple[int, float], ...]]], sent: list[tuple[int, tuple[tuple[int, float], ...]]]
) -> None:
    stored: Stored = {}
    for user, samples in before:
        write(stored, user.to_bytes(4), samples)
    right = dict(stored)
    expected = [write(right, user.to_bytes(4), samples) for user, samples in sent]
    rows = [Row(str(user), "watch", 0, samples=samples) for user, samples in sent]
    identities: list[Identity] = [(pack_key(user), pack_key(1), 0) for user, _ in sent]
    found = samples_of(rows, identities)
    values = Merge("merge_samples", found)
    assert len(values.writes) <= 2
    answers = [merge(stored, columns) for _, columns in values.writes]
    bits = bytearray(len(rows))
    values.note([{"inserted": inserted, "updated": updated} for inserted, updated in answers], bits)
    assert list(bits.translate(COMBINED)) == expected
    assert stored == right
