"""Requests have the configured size and repeats, and an identity is never under way twice."""

from __future__ import annotations

from collections import deque
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.simulate.batching import Packer, altered
from scripts.simulate.ledger import Batch, Ledger
from scripts.simulate.model import Model
from scripts.simulate.reading import MICRO, Identity, Reading, fold

START = 1_760_000_000 * MICRO
SHARES = st.sampled_from([0.0, 0.05, 0.3, 1.0])


def fresh(number: int) -> Reading:
    return Reading("101", "default", START + number * MICRO, 70 * MICRO, 3, 20_000)


class Service:
    """Acknowledges batches some time after they were sent, out of order."""

    def __init__(self, ledger: Ledger, draw: Random, delay: int) -> None:
        self.ledger, self.draw, self.delay = ledger, draw, delay
        self.under_way: deque[Batch] = deque()
        self.batches: list[Batch] = []
        self.held: dict[Identity, Reading] = {}

    def take(self, batches: list[Batch]) -> None:
        for batch in batches:
            busy = {reading.identity for other in self.under_way for reading in other.readings}
            assert busy.isdisjoint(reading.identity for reading in batch.readings)
            self.batches.append(batch)
            self.under_way.append(batch)
            while len(self.under_way) > self.delay:
                self.answer()

    def answer(self) -> None:
        self.under_way.rotate(self.draw.randrange(len(self.under_way)))
        batch = self.under_way.popleft()
        for reading in batch.readings:
            self.held[reading.identity] = fold(self.held.get(reading.identity), reading)
        self.ledger.acknowledge(batch, in_doubt=self.draw.random() < 0.1)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 50), SHARES, SHARES, st.integers(0, 8), st.integers(1, 500), st.integers(0, 99), st.booleans())
def test_shares_sizes_and_the_fold(
    size: int, duplicates: float, conflicts: float, delay: int, window: int, seed: int, whole: bool
) -> None:
    draw = Random(seed)
    model = Model([START])
    model.kept |= set(range(START // (60 * MICRO), START // (60 * MICRO) + 100))
    ledger = Ledger(model, draw, window)
    packer = Packer(size, duplicates, conflicts, ledger, draw, whole=whole)
    service = Service(ledger, draw, delay)
    for number in range(600):
        service.take(packer.add(fresh(number)))
    service.take(packer.rest())
    while service.under_way:
        service.answer()
    service.take(packer.repay() + packer.rest())
    while service.under_way:
        service.answer()
    ledger.close()
    assert all(1 <= len(batch.readings) <= size for batch in service.batches)
    assert sum(batch.fresh for batch in service.batches) == 600
    assert len(service.held) == 600
    settled = {reading.identity: reading for readings in model.single.values() for reading in readings}
    assert settled == service.held
    assert model.count == 600
    for kind, share in (("duplicate", duplicates), ("conflict", conflicts)):
        assert packer.repeated[kind] <= 600 * share + 1e-6
    if delay == 0 and window > 10:
        assert sum(packer.repeated.values()) >= 600 * (duplicates + conflicts) * 0.5 - 2


def test_the_shares_are_exact_when_answers_come() -> None:
    draw = Random(1)
    ledger = Ledger(Model(), draw, 1000)
    packer = Packer(10, 0.05, 0.1, ledger, draw, whole=True)
    for number in range(2000):
        for batch in packer.add(fresh(number)):
            ledger.acknowledge(batch, in_doubt=False)
    assert packer.repeated == {"duplicate": 100, "conflict": 200}


def test_what_is_in_doubt_is_never_written_over() -> None:
    ledger = Ledger(Model(), Random(1), 1000)
    ledger.acknowledge(Batch([fresh(1)], {}, 1), in_doubt=True)
    assert ledger.take() is None


@given(st.integers(0, 1000), st.booleans())
def test_a_conflict_has_the_same_identity_and_other_values(seed: int, whole: bool) -> None:
    before = fresh(seed)
    after = altered(before, Random(seed), whole)
    assert after.identity == before.identity
    assert fold(before, after) != before
    assert after.heart_rate is None or after.heart_rate <= 220 * MICRO
    assert set(after[3:]) != {None}
    if whole:
        assert None not in after


def test_users_of_lost_writes_are_known() -> None:
    ledger = Ledger(Model(), Random(1), 10)
    ledger.lose(Batch([fresh(1)], {}, 1))
    assert ledger.uncertain == {"101"}
