"""The samples of a batch, which are the values of other metrics than the three, as columns."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

from service.database.binary_arrays import doubles, ints, keys, moments
from service.ingest.dedupe import Identity
from service.ingest.sample_series import Series
from service.model.pg_time import QUARTER
from service.model.reading import Row

Quarter: TypeAlias = tuple[bytes, int]
"""The key of a user, packed, and the start of a quarter of an hour."""

HEAD = struct.pack(">h", 5)
SAMPLE = struct.Struct(">2s8sii8siqid").pack


class Samples(NamedTuple):
    """Samples by column, and the index of the reading that each is of."""

    items: list[int]
    identities: list[Identity]
    metric_keys: list[int]
    values: list[float]

    @property
    def whole_identities(self) -> list[tuple[Identity, int]]:
        """Under what each is stored once."""
        return list(zip(self.identities, self.metric_keys, strict=True))

    @property
    def contents(self) -> Sequence[float]:
        """What is stored there."""
        return self.values

    def arrays(self, chosen: Sequence[int]) -> dict[str, bytes]:
        """Write those chosen by index as arrays."""
        identities = [self.identities[index] for index in chosen]
        return {
            "user_keys": keys([user_key for user_key, _, _ in identities]),
            "metric_keys": ints([self.metric_keys[index] for index in chosen]),
            "device_keys": keys([device_key for _, device_key, _ in identities]),
            "timestamps": moments([at for _, _, at in identities]),
            "values": doubles([self.values[index] for index in chosen]),
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


def touched_quarters(samples: Samples, announced: int) -> tuple[list[Quarter], list[Quarter]]:
    """List the quarters of an hour of users that samples lie in: those below the announced horizon, and the others."""
    touched = {(user_key, at // QUARTER * QUARTER) for user_key, _, at in samples.identities}
    below = [quarter for quarter in touched if quarter[1] < announced]
    return below, [quarter for quarter in touched if quarter[1] >= announced] if len(below) < len(touched) else []
