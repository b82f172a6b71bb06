"""What clients send, and by brute force what is stored of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Self

PRIORITIES = {"device_a": 1, "device_b": 2}


class Item(NamedTuple):
    """One reading as it is sent."""

    tenant: str
    user: str
    device: str
    ts: int
    heart_rate: float | None
    steps: int | None
    calories: float | None


class Part(NamedTuple):
    """An interval, a worn window or a daily total as it is sent; the last two are not of the kind interval."""

    tenant: str
    user: str
    device: str
    kind: str
    metric: str
    ts: int
    end: int
    value: float


class Happening(NamedTuple):
    """One event as it is sent."""

    tenant: str
    event_id: str
    source: str
    event_type: str
    ts: int


class Values(NamedTuple):
    """What is stored for one identity."""

    heart_rate: float | None
    steps: int | None
    calories: float | None


@dataclass
class Device:
    """What ranks a device: the smaller priority, that of a metric if it has one, then whoever was registered first."""

    priority: int
    registered: int
    metrics: dict[str, int] = field(default_factory=dict)


class Sent(NamedTuple):
    """What is stored of an interval, a worn window or a daily total."""

    end: int
    value: float
    version: int


@dataclass
class Stored:
    """Every reading, interval and event sent, and every device known."""

    readings: dict[tuple[str, str], dict[tuple[str, int], Values]] = field(default_factory=dict)
    devices: dict[tuple[str, str], Device] = field(default_factory=dict)
    events: dict[tuple[str, str], Happening] = field(default_factory=dict)
    parts: dict[tuple[str, str], dict[tuple[str, str, str, int], Sent]] = field(default_factory=dict)
    version: int = 0

    def copy(self) -> Self:
        """Return a model that later changes of this one do not touch."""
        readings = {who: dict(stored) for who, stored in self.readings.items()}
        devices = {name: replace(device, metrics=device.metrics.copy()) for name, device in self.devices.items()}
        parts = {who: dict(stored) for who, stored in self.parts.items()}
        return type(self)(readings, devices, self.events.copy(), parts, self.version)

    def enrol(self, tenant: str, device: str) -> Device:
        known = Device(PRIORITIES.get(device, 999), len(self.devices))
        return self.devices.setdefault((tenant, device), known)

    def write(self, items: Iterable[Item]) -> list[str]:
        """Store readings; return for each whether it was inserted, updated or unchanged."""
        outcomes = []
        for item in items:
            self.enrol(item.tenant, item.device)
            stored = self.readings.setdefault((item.tenant, item.user), {})
            old = stored.get((item.device, item.ts))
            new = Values(*item[4:])
            if old is not None:
                new = Values(*(was if sent is None else sent for was, sent in zip(old, new, strict=True)))
            outcomes.append("inserted" if old is None else "unchanged" if old == new else "updated")
            stored[item.device, item.ts] = new
        return outcomes

    def merge(self, parts: Iterable[Part]) -> list[str]:
        """Store intervals, worn windows and daily totals of which no two have one identity."""
        outcomes = []
        for part in parts:
            self.enrol(part.tenant, part.device)
            self.readings.setdefault((part.tenant, part.user), {})
            stored = self.parts.setdefault((part.tenant, part.user), {})
            worn = part.kind == "worn"
            key = (part.kind, "" if worn else part.metric, part.device, part.ts)
            value = 0 if worn else part.value
            old = stored.get(key)
            if old is not None and (old.end, old.value) == (part.end, value):
                outcomes.append("unchanged")
                continue
            self.version += 1
            stored[key] = Sent(part.end, value, self.version)
            outcomes.append("inserted" if old is None else "updated")
        return outcomes

    def happen(self, events: Iterable[Happening]) -> list[bool]:
        """Store events; return for each whether it is the first of its id."""
        return [self.events.setdefault(event[:2], event) is event for event in events]

    def update(self, item: Item) -> None:
        """Replace all metrics of a reading that is there."""
        stored = self.readings.get((item.tenant, item.user), {})
        if (item.device, item.ts) in stored:
            stored[item.device, item.ts] = Values(*item[4:])

    def delete(
        self, tenant: str, user: str, start: int, end: int, device: str | None, intervals: bool = False
    ) -> tuple[int, int, int | None, int | None]:
        """Forget a user's readings of a range, and intervals; return how many, the first and the last moment."""
        stored = self.readings.get((tenant, user), {})
        going = [(name, ts) for name, ts in stored if start <= ts < end and device in (None, name)]
        for key in going:
            del stored[key]
        moments = [ts for _, ts in going]
        sent = self.parts.get((tenant, user), {})
        parts = [key for key in sent if intervals and start <= key[3] < end and device in (None, key[2])]
        for key in parts:
            del sent[key]
        moments += [key[3] for key in parts]
        return len(going), len(parts), min(moments, default=None), max(moments, default=None)

    def erase(self, tenant: str, user: str) -> int:
        """Forget a user; return how many readings go."""
        self.parts.pop((tenant, user), None)
        return len(self.readings.pop((tenant, user), {}))

    def set_priority(
        self, tenant: str, device: str, priority: int | None, metrics: Mapping[str, int | None] | None = None
    ) -> None:
        """Give a device another priority, and priorities of metrics, or take these away."""
        known = self.enrol(tenant, device)
        known.priority = known.priority if priority is None else priority
        for metric, its in (metrics or {}).items():
            known.metrics.pop(metric, None)
            if its is not None:
                known.metrics[metric] = its

    def rank(self, tenant: str, device: str, metric: str | None = None) -> tuple[int, int]:
        """Return how a device ranks for a metric, or for none."""
        known = self.devices[tenant, device]
        return known.metrics.get(metric or "", known.priority), known.registered
