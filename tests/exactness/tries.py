"""Tries, each from its seed: hours of one user in which readings, intervals and worn windows of devices meet."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

import psycopg

from tests.support.interleaving import NOON
from tests.support.moments import DAY, HOUR, MINUTE
from tests.support.reference_model import Model
from tests.support.stored import Item, Part

DEVICES = ["device_a", "device_b", "watch", "phone"]
RANKED = """
    SELECT d.device_id
      FROM core.device AS d
      LEFT JOIN core.metric AS m ON m.name = %s
     ORDER BY coalesce((d.metric_priorities ->> m.metric_key::text)::int, d.priority), d.device_key
"""


class Try:
    """Some hours of one user, and questions about them."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)

    def moment(self) -> int:
        r = self.random
        return NOON + r.choice([r.randrange(3 * HOUR), r.randrange(180) * MINUTE, r.randrange(18) * 10 * MINUTE])

    def items(self) -> list[Item]:
        r = self.random
        items = [
            Item(
                "default",
                "ada",
                r.choice(DEVICES),
                self.moment(),
                None,
                r.choice([0, 1, 7, 100]),
                r.choice([None, 2.5]),
            )
            for _ in range(r.choice([0, 5, 30, 100]))
        ]
        return list({item[:4]: item for item in items}.values())

    def parts(self) -> list[Part]:
        r = self.random
        parts = [self.part() for _ in range(r.choice([1, 3, 10, 40]))]
        # And some that begin where another one of their device ends.
        parts += [part._replace(ts=part.end, end=part.end + MINUTE) for part in parts if r.random() < 0.3]
        return list({part[:6]: part for part in parts}.values())

    def part(self) -> Part:
        r = self.random
        kind, metric = r.choice(["interval"] * 5 + ["worn"] * 2), r.choice(["steps", "steps", "calories"])
        ts, lengths = self.moment(), [r.randrange(1, most) for most in (HOUR, 3 * HOUR, 20 * HOUR)]
        end = ts + r.choice([MINUTE, 3 * MINUTE, 5 * MINUTE, 10 * MINUTE, 15 * MINUTE, HOUR, *lengths])
        if kind == "worn":
            return Part("default", "ada", r.choice(DEVICES), kind, "", ts, end, 0.0)
        steps = float(r.choice([0, 1, 10, 100, 1000, 99_999]))
        value = steps if metric == "steps" else round(r.uniform(0, 2000), r.choice([0, 3, 6]))
        return Part("default", "ada", r.choice(DEVICES), kind, metric, ts, end, value)

    def grown(self, parts: list[Part]) -> list[Part]:
        """Uploads of before, some of which have grown."""
        r = self.random
        return [
            part._replace(end=part.end + r.choice([0, MINUTE]), value=part.value + (part.kind != "worn"))
            for part in parts
            if r.random() < 0.3
        ]

    def priorities(self) -> Iterator[tuple[str, dict[str, int | None]]]:
        """Which devices rank otherwise for which metrics; mostly none."""
        r = self.random
        for device in r.sample(DEVICES, r.choice([0, 0, 1, 2])):
            yield device, {metric: r.choice([None, 0, 1, 2, 500, 1000]) for metric in ("steps", "calories")}

    def questions(self, model: Model) -> Iterator[tuple[int, int, str | None]]:
        known = [device for device in DEVICES if ("default", device) in model.devices]
        for _ in range(6):
            start, end = sorted([self.moment(), self.moment()])
            yield start, end, self.random.choice([None, None, None, *known])
        yield NOON - DAY, NOON + 2 * DAY, None


def ranked(db: psycopg.Connection[Any], metric: str) -> list[str]:
    """Return the devices, the best one for a metric first."""
    return [name for (name,) in db.execute(RANKED, [metric])]
