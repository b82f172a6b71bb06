"""Samples of any metric by brute force in plain Python, and what histories of them are drawn from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tests.support.answers import micro
from tests.support.moments import MINUTE, auto_bucket, bucket_start
from tests.support.samples import Question, Sample

# In the order of the registry.
KINDS = {"spo2": "gauge", "body_weight": "latest", "hydration": "sum", "strain": "gauge"}
UNITS = {"spo2": "%", "body_weight": "kg", "hydration": "mL", "strain": "{score}"}
DEVICES = ["watch", "phone", "ring"]
USERS = ["ada", "bob"]
BUCKETS = ["auto", "raw", "1m", "5m", "15m", "1h", "1d", "1d", "1w", "1mo"]
# A day on which clocks change, and where; and days on which they do not.
ERAS = [
    ("2024-03-31", "Europe/Berlin"),
    ("2024-10-27", "Europe/Berlin"),
    ("2024-04-07", "Australia/Lord_Howe"),
    ("2018-11-04", "America/Sao_Paulo"),
    ("2011-12-30", "Pacific/Apia"),
    ("2024-07-01", "Asia/Kathmandu"),
    ("2024-12-31", "UTC"),
]
STEPS = [0, 1, 29_999_999, 59_999_999, MINUTE, 7 * MINUTE, 15 * MINUTE]
"""After an hour, in microseconds."""


class Row(NamedTuple):
    """What a range, or a bucket of one, comes to."""

    metric: str
    unit: str
    kind: str
    count: int
    avg: float | None
    lowest: float | None
    highest: float | None
    total: float | None
    last: float | None


@dataclass
class Model:
    """The values of a tenant, and its devices in the order of their registration."""

    stored: dict[tuple[str, str, str, int], float] = field(default_factory=dict)
    devices: list[str] = field(default_factory=list)
    priorities: dict[str, int] = field(default_factory=dict)
    of_metrics: dict[tuple[str, str], int] = field(default_factory=dict)

    def write(self, samples: Sequence[Sample]) -> tuple[list[int], list[int]]:
        """Store values; return the positions, from 1, of new and of changed ones."""
        inserted, updated = [], []
        for item, sample in enumerate(samples, 1):
            if sample.device not in self.devices:
                self.devices.append(sample.device)
            old = self.stored.get(sample[:4])
            if old is None:
                inserted.append(item)
            elif old != sample.value:
                updated.append(item)
            self.stored[sample[:4]] = sample.value
        return inserted, updated

    def rank(self, device: str, metric: str) -> tuple[int, int]:
        """Return how a device ranks for a metric: by the metric's priority, or else by its own."""
        own = self.priorities.get(device, 999)
        return self.of_metrics.get((device, metric), own), self.devices.index(device)

    def asked(self, asked: Question, metric: str) -> list[Sample]:
        return [
            Sample(*key, value)
            for key, value in self.stored.items()
            if key[0] == asked.user
            and key[2] == metric
            and asked.start <= key[3] < asked.end
            and asked.device in (None, key[1])
        ]

    def counted(self, asked: Question, metric: str) -> list[Sample]:
        """Return the values of the best device of each minute."""
        minutes: dict[int, list[Sample]] = {}
        for sample in self.asked(asked, metric):
            minutes.setdefault(sample.ts // MINUTE, []).append(sample)
        counted = []
        for minute in minutes.values():
            best = min((sample.device for sample in minute), key=lambda device: self.rank(device, metric))
            counted += [sample for sample in minute if sample.device == best]
        return counted

    def summary(self, asked: Question) -> list[tuple[Any, ...]]:
        """Return a row for each metric asked for, with the moments of the last and the first value."""
        answer: list[tuple[Any, ...]] = []
        for metric in sorted(set(asked.metrics), key=list(KINDS).index):
            counted = self.counted(asked, metric)
            moments = [sample.ts for sample in counted]
            answer.append((*row(metric, counted), max(moments, default=None), min(moments, default=None)))
        return answer

    def series(self, asked: Question) -> list[tuple[Any, ...]]:
        """Return a row for each bucket with a value, with its start, its only device, and the width used."""
        used = auto_bucket(asked.start, asked.end, asked.max_points) if asked.bucket == "auto" else asked.bucket
        answer: list[tuple[Any, ...]] = []
        for metric in sorted(set(asked.metrics), key=list(KINDS).index):
            buckets: dict[Any, list[Sample]] = {}
            if used == "raw":
                for sample in self.asked(asked, metric):
                    buckets[sample.ts, sample.device] = [sample]
            else:
                for sample in self.counted(asked, metric):
                    start = bucket_start(sample.ts // MINUTE * MINUTE, used, asked.tz)
                    buckets.setdefault((start, ""), []).append(sample)
            for (start, _), samples in sorted(buckets.items()):
                devices = {sample.device for sample in samples}
                answer.append((start, *row(metric, samples), devices.pop() if len(devices) == 1 else None, used))
        return answer

    def latest(self, user: str) -> list[tuple[Any, ...]]:
        answer: list[tuple[Any, ...]] = []
        for metric in KINDS:
            everything = self.asked(Question(user, 0, 2**62, (metric,), None, "raw", "UTC", 1), metric)
            if everything:
                best = min(everything, key=lambda sample: (-sample.ts, self.rank(sample.device, sample.metric)))
                answer.append((metric, UNITS[metric], best.value, best.ts, best.device))
        return answer


def row(metric: str, samples: list[Sample]) -> Row:
    """Aggregate values by brute force: whole millionths, and one division."""
    kind, values = KINDS[metric], [sample.value for sample in samples]
    gauge, amount = kind == "gauge" and values, kind == "sum" and values
    return Row(
        metric,
        UNITS[metric],
        kind,
        len(values),
        sum(map(micro, values)) / (len(values) * 10**6) if gauge else None,
        min(values) if gauge else None,
        max(values) if gauge else None,
        sum(map(micro, values)) / 10**6 if amount else None,
        max(samples, key=lambda sample: sample.ts).value if kind == "latest" and samples else None,
    )
