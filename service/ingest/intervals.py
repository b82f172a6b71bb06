"""The intervals of a batch, with worn windows and daily totals, as columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from service.database.binary_arrays import doubles, ints, keys, moments, smallints
from service.ingest.copy_rows import pack_key
from service.ingest.dedupe import Identity
from service.ingest.sample_series import THREE, Series
from service.model.intervals import Interval, IntervalKind
from service.model.reading import Row


class Intervals(NamedTuple):
    """Intervals, and the index of the reading that each is of."""

    items: list[int]
    identities: list[Identity]
    intervals: list[Interval]

    @property
    def whole_identities(self) -> list[tuple[Identity, int, int]]:
        """Under what each is stored once."""
        return [
            (identity, interval.kind, interval.metric_key)
            for identity, interval in zip(self.identities, self.intervals, strict=True)
        ]

    @property
    def contents(self) -> list[tuple[int, float]]:
        """What is stored there."""
        return [(interval.end, interval.value) for interval in self.intervals]

    @property
    def metric_keys(self) -> set[int]:
        """The metrics that are counted; worn windows have none."""
        return {interval.metric_key for interval in self.intervals if interval.kind != IntervalKind.worn}

    @property
    def series(self) -> set[Series]:
        """Their series of samples: those of other metrics than the three, whose rollups are those of samples."""
        return {
            user_key + pack_key(interval.metric_key) + device_key
            for (user_key, device_key, _), interval in zip(self.identities, self.intervals, strict=True)
            if interval.kind == IntervalKind.interval and interval.metric_key > THREE
        }

    def add(self, item: int, identity: Identity, interval: Interval) -> None:
        """Append an interval of a reading."""
        self.items.append(item)
        self.identities.append(identity)
        self.intervals.append(interval)

    def arrays(self, chosen: Sequence[int]) -> dict[str, bytes]:
        """Write those chosen by index as arrays."""
        identities = [self.identities[index] for index in chosen]
        intervals = [self.intervals[index] for index in chosen]
        return {
            "user_keys": keys([user_key for user_key, _, _ in identities]),
            "metric_keys": ints([interval.metric_key for interval in intervals]),
            "device_keys": keys([device_key for _, device_key, _ in identities]),
            "starts": moments([at for _, _, at in identities]),
            "ends": moments([interval.end for interval in intervals]),
            "values": doubles([interval.value for interval in intervals]),
            "kinds": smallints([interval.kind for interval in intervals]),
        }


def intervals_of(rows: Sequence[Row], identities: Sequence[Identity]) -> Intervals:
    """Return the intervals of readings."""
    found = Intervals([], [], [])
    for item, row in enumerate(rows):
        for interval in row.intervals:
            found.add(item, identities[item], interval)
    return found
