"""The samples of a batch, which are the values of other metrics than the three, as columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from service.database.binary_arrays import doubles, ints, keys, moments
from service.ingest.copy_rows import pack_key
from service.ingest.dedupe import Identity
from service.ingest.sample_series import Series
from service.model.reading import Row


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

    @property
    def series(self) -> set[Series]:
        """Their series."""
        of = zip(self.identities, self.metric_keys, strict=True)
        return {user_key + pack_key(metric_key) + device_key for (user_key, device_key, _), metric_key in of}

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
