"""The samples of a batch, which are the values of other metrics than the three: as columns, and in passes.

PostgreSQL cannot upsert one row twice in a statement. Where a batch repeats a sample, the first value is written in a
first pass, whose outcome only the database knows, and the last one in a second. What became of the others the batch
itself decides, as if they were written one after the other.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple

from service.database.binary_arrays import doubles, ints, keys, moments
from service.ingest.dedupe import Identity
from service.ingest.sample_series import Series
from service.model.reading import Row

UNCHANGED, INSERTED, UPDATED = 0, 1, 2  # as service/ingest/store.py numbers outcomes
# Bits say which outcomes the parts of a reading had; more than one kind makes an update.
COMBINED = bytes([UNCHANGED, UNCHANGED, INSERTED, *([UPDATED] * 253)])


HEAD = struct.pack(">h", 5)
SAMPLE = struct.Struct(">2s8sii8siqid").pack


class Samples(NamedTuple):
    """Samples by column, and the index of the reading that each is of."""

    items: list[int]
    identities: list[Identity]
    metric_keys: list[int]
    values: list[float]

    def arrays(self, chosen: Sequence[int] | None = None, values: Sequence[float] | None = None) -> dict[str, bytes]:
        """Write them as arrays, or those chosen, or others values of these."""
        if chosen is None:
            identities, metric_keys = self.identities, self.metric_keys
        else:
            identities = [self.identities[index] for index in chosen]
            metric_keys = [self.metric_keys[index] for index in chosen]
        if values is None:
            values = self.values if chosen is None else [self.values[index] for index in chosen]
        return {
            "user_keys": keys([user_key for user_key, _, _ in identities]),
            "metric_keys": ints(metric_keys),
            "device_keys": keys([device_key for _, device_key, _ in identities]),
            "timestamps": moments([at for _, _, at in identities]),
            "values": doubles(values),
        }

    @property
    def series(self) -> set[Series]:
        """Which devices measured which metrics of which users."""
        return {
            (user_key, metric_key, device_key)
            for (user_key, device_key, _), metric_key in zip(self.identities, self.metric_keys, strict=True)
        }

    def packed(self) -> list[bytes]:
        """Pack them for COPY, in the order in which everyone writes: by user, metric, device, time."""
        packed = [
            SAMPLE(HEAD, user_key, 4, metric_key, device_key, 8, at, 8, value)
            for (user_key, device_key, at), metric_key, value in zip(
                self.identities, self.metric_keys, self.values, strict=True
            )
        ]
        packed.sort()
        return packed


class Plan(NamedTuple):
    """The columns of each pass, the samples whose outcomes the first one decides, and the outcomes known already."""

    passes: list[dict[str, bytes]]
    asked: Sequence[int]
    certain: dict[int, int]


def samples_of(rows: Sequence[Row], identities: Sequence[Identity]) -> Samples:
    """Return the samples of readings."""
    samples = Samples([], [], [], [])
    items, of, metric_keys, values = samples
    for item, row in enumerate(rows):
        if row.samples is not None:
            for metric_key, value in row.samples:
                items.append(item)
                of.append(identities[item])
                metric_keys.append(metric_key)
                values.append(value)
    return samples


def plan_samples(samples: Samples) -> Plan:
    """Plan the passes of samples."""
    whole = list(zip(samples.identities, samples.metric_keys, strict=True))
    if len(set(whole)) == len(whole):
        return Plan([samples.arrays()], range(len(whole)), {})
    first: dict[tuple[Identity, int], int] = {}
    last: dict[tuple[Identity, int], float] = {}
    certain: dict[int, int] = {}
    for index, (sample, value) in enumerate(zip(whole, samples.values, strict=True)):
        if sample in first:
            certain[index] = UNCHANGED if value == last[sample] else UPDATED
        else:
            first[sample] = index
        last[sample] = value
    asked = list(first.values())
    changed = [sample for sample, index in first.items() if last[sample] != samples.values[index]]
    passes = [samples.arrays(asked)]
    if changed:
        passes.append(samples.arrays([first[sample] for sample in changed], [last[sample] for sample in changed]))
    return Plan(passes, asked, certain)


def note_outcomes(
    samples: Samples, plan: Plan, inserted: Sequence[int], updated: Sequence[int], bits: bytearray
) -> None:
    """Add what became of samples, of those asked by their positions from 1, to the bits of their readings."""
    outcomes = bytearray(len(samples.items))
    for outcome, places in ((INSERTED, inserted), (UPDATED, updated)):
        for place in places:
            outcomes[plan.asked[place - 1]] = outcome
    for index, outcome in plan.certain.items():
        outcomes[index] = outcome
    for item, outcome in zip(samples.items, outcomes, strict=True):
        bits[item] |= 1 << outcome
