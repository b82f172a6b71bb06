"""Users of phones and watches, as they are: what their devices send in some hours, each from its seed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

import psycopg

from tests.support import sql_client
from tests.support.database import empty
from tests.support.interleaving import NOON
from tests.support.moments import DAY, HOUR, MINUTE, SECOND
from tests.support.reference_model import Model
from tests.support.samples import Sample, write_samples
from tests.support.stored import Item, Part

USERS = tuple(f"user_{n}" for n in range(12))
STEPPERS = ("stepper_0", "stepper_1", "stepper_2", "stepper_3")
LONERS = ("loner_0", "loner_1", "loner_2", "loner_3")
SPAN = 3 * HOUR


class Person:
    """What the devices of a user send in some hours."""

    def __init__(self, user: str, random: Random) -> None:
        self.user, self.random = user, random
        self.items: dict[tuple[str, int], Item] = {}
        self.parts: dict[tuple[str, str, str, int], Part] = {}
        self.values: dict[tuple[str, int], float] = {}
        if user in LONERS:
            self.count_alone()
            return
        # So that a device that is alone in the hours asked for was not always.
        self.parts["device_c", "interval", "steps", NOON - DAY] = Part(
            "default", user, "device_c", "interval", "steps", NOON - DAY, NOON - DAY + MINUTE, 5.0
        )
        r = random
        if user in STEPPERS:
            self.count_in_steps()
            self.beat("watch")
            return
        if r.random() < 0.1:
            self.count_in_steps()
            return
        for device in r.choice([["phone"], ["phone", "watch"], ["phone", "watch"], ["phone", "watch", "device_b"]]):
            self.measure(device)
        for device in r.choice([[], [], ["watch"], ["watch", "device_b"], ["device_b"]]):
            self.wear(device)
        for device in r.choice([[], [], ["watch"], ["watch", "device_b"]]):
            self.beat(device)

    def count_alone(self) -> None:
        """A phone counts, and hardly anything stands beside its intervals."""
        r = self.random
        for metric in r.choice([["steps"], ["calories"], ["steps", "calories"]]):
            self.intervals("phone", metric)
        beside = r.random()
        if beside < 0.2:
            self.instants("phone", "steps")
        elif beside < 0.4:
            self.intervals("watch", "calories")
        elif beside < 0.6:
            self.wear("watch")

    def count_in_steps(self) -> None:
        """One device, worn now and then, counts by minute, one by ten minutes and one by hours, over the same time."""
        r = self.random
        devices = r.sample(["phone", "watch", "device_b"], 3)
        for device, length, gaps in zip(devices, (MINUTE, 10 * MINUTE, HOUR), (0.3, 0.4, 0.0), strict=True):
            for ts in range(NOON, NOON + SPAN, length):
                if r.random() >= gaps:
                    self.part(device, "steps", ts, length)
        for ts in range(NOON, NOON + SPAN, 30 * MINUTE):
            if r.random() < 0.3:
                until = ts + 10 * MINUTE + 20 * SECOND
                self.parts[devices[0], "worn", "", ts] = Part(
                    "default", self.user, devices[0], "worn", "", ts, until, 0.0
                )

    def measure(self, device: str) -> None:
        r = self.random
        for metric in r.choice([["steps"], ["steps", "distance"], ["steps", "calories", "distance"], ["distance"]]):
            if r.random() < (0.2 if device == "phone" else 0.6):
                self.instants(device, metric)
            if device == "phone" or r.random() < 0.4:
                self.intervals(device, metric)

    def spells(self) -> Iterator[tuple[int, int]]:
        """Yield when a device is carried: all the time, or now and then."""
        r = self.random
        if r.random() < 0.5:
            yield NOON, NOON + SPAN
            return
        for _ in range(r.choice([1, 2])):
            start = NOON + r.randrange(SPAN // MINUTE) * MINUTE
            yield start, min(start + r.choice([10, 45, 90]) * MINUTE, NOON + SPAN)

    def intervals(self, device: str, metric: str) -> None:
        r = self.random
        length = r.choice([1, 1, 1, 3, 5, 10, 10, 10, 60, 100]) * MINUTE
        phase = r.choice([0, 0, 0, 17 * SECOND, length // 2])
        gaps = r.choice([0.0, 0.0, 0.2, 0.7])
        for start, end in self.spells():
            for ts in range(start + phase, end, length):
                if r.random() >= gaps:
                    self.part(device, metric, ts, length)
        if r.random() < 0.15:
            self.part(
                device,
                metric,
                NOON + r.randrange(SPAN // SECOND) * SECOND,
                r.choice([MINUTE, 20 * MINUTE, 50 * MINUTE]),
            )

    def part(self, device: str, metric: str, ts: int, length: int) -> None:
        # Of whole minutes about as much as what is measured at moments, so that coarse intervals leave something.
        minutes = max(1, length // MINUTE)
        value = (
            float(self.random.randrange(100) * minutes)
            if metric == "steps"
            else round(self.random.uniform(0, 90) * minutes, 3)
        )
        self.parts[device, "interval", metric, ts] = Part(
            "default", self.user, device, "interval", metric, ts, ts + length, value
        )

    def instants(self, device: str, metric: str) -> None:
        r = self.random
        step = r.choice([MINUTE, MINUTE, 5 * MINUTE, 20 * SECOND])
        gaps = r.choice([0.0, 0.1, 0.9])
        for start, end in self.spells():
            for ts in range(start + r.choice([0, 1, 30 * SECOND]), end, step):
                if r.random() < gaps:
                    continue
                if metric == "distance":
                    self.values[device, ts] = float(r.randrange(60))
                else:
                    self.read(device, ts, **{metric: r.randrange(90)})

    def beat(self, device: str) -> None:
        r = self.random
        step = r.choice([MINUTE, MINUTE, 7 * MINUTE])
        for start, end in self.spells():
            for ts in range(start, end, step):
                self.read(device, ts, heart_rate=float(r.randrange(50, 120)))

    def read(self, device: str, ts: int, **values: Any) -> None:
        was = self.items.get((device, ts), Item("default", self.user, device, ts, None, None, None))
        self.items[device, ts] = was._replace(**values)

    def wear(self, device: str) -> None:
        r = self.random
        for start, end in self.spells():
            start -= r.choice([0, 0, 25 * SECOND])
            length = r.choice([HOUR, 40 * MINUTE, SPAN])
            for ts in range(start, end, length):
                if r.random() < 0.8:
                    until = ts + length - r.choice([0, 0, 40 * SECOND])
                    self.parts[device, "worn", "", ts] = Part("default", self.user, device, "worn", "", ts, until, 0.0)


def play(db: psycopg.Connection[Any], seed: int, users: Sequence[str]) -> Model:
    """Store what users sent; return the model of their readings and intervals of steps and calories."""
    empty(db)
    sql_client.place_horizon(db, NOON - DAY)
    random, model = Random(seed), Model()
    people = [Person(user, random) for user in users]
    items = [item for person in people for item in person.items.values()]
    parts = [part for person in people for part in person.parts.values()]
    if items:
        assert sql_client.write(db, items) == model.write(items)
    assert sql_client.merge(db, parts) == model.merge(parts)
    samples = [
        Sample(person.user, device, "distance", ts, value)
        for person in people
        for (device, ts), value in person.values.items()
    ]
    write_samples(db, "default", samples)
    for device in random.sample(["phone", "watch", "device_b"], random.choice([0, 0, 1, 2])):
        metrics = {
            metric: random.choice([None, 0, 1, 1000]) for metric in ("heart_rate", "steps", "calories", "distance")
        }
        sql_client.set_priority(db, "default", device, None, metrics)
        model.set_priority("default", device, None, metrics)
    sql_client.refresh(db, NOON + DAY)
    return model
