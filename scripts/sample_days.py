"""Days of one user with many metrics, as a watch, a phone and a scale would send them, for the screenshots."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

BATCH = 4000  # readings of a request
QUARTER = timedelta(minutes=15)
AWAKE = range(7 * 4, 22 * 4)  # quarter hours

Reading = dict[str, Any]


def send_days(service: str, user_id: str, days: int, without: int) -> None:
    """Send the days up to now; of the last ones, which the simulator has sent, other metrics than its own alone."""
    now = datetime.now(UTC)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    chance = random.Random(7)  # noqa: S311
    readings: list[Reading] = []
    for ago in range(days, -1, -1):
        day = midnight - timedelta(days=ago)
        made = [*body(chance, day, ago), *night(chance, day, ago), *activity(chance, day, with_steps=ago > without)]
        readings += [{"user_id": user_id, **reading} for reading in made if reading["timestamp"] < now.isoformat()]
    with httpx.Client(base_url=service, timeout=120) as client:
        for first in range(0, len(readings), BATCH):
            receipt = client.post("/v1/readings", json=readings[first : first + BATCH]).raise_for_status().json()
            if receipt["rejected"]:
                raise RuntimeError(receipt["errors"][0])


def reading(moment: datetime, device_id: str, **metrics: float) -> Reading:
    """Write a reading."""
    return {"timestamp": moment.isoformat(), "device_id": device_id, **metrics}


def body(chance: random.Random, day: datetime, ago: int) -> Iterator[Reading]:
    """Make a weight on most mornings, which falls over the year."""
    if chance.random() < 0.7:
        weight = 66 + ago / 90 + chance.gauss(0, 0.25)
        yield reading(day + timedelta(hours=6, minutes=chance.randrange(50)), "scale", body_weight=round(weight, 1))


def night(chance: random.Random, day: datetime, ago: int) -> Iterator[Reading]:
    """Make what a watch measures while one sleeps, and the resting heart rate that it makes of it."""
    resting = 56 + 3 * math.sin(ago / 9) + chance.gauss(0, 0.8)
    yield reading(day + timedelta(hours=5), "device_a", resting_heart_rate=round(resting))
    for n in range(16):
        moment = day + timedelta(minutes=25 * n)
        variability = max(12.0, 38 + 8 * math.sin(ago / 7) + chance.gauss(0, 6))
        saturation = min(100.0, 96.5 + chance.gauss(0, 0.8))
        yield reading(moment, "device_a", hrv_rmssd=round(variability, 1), spo2=round(saturation, 1))


def activity(chance: random.Random, day: datetime, with_steps: bool) -> Iterator[Reading]:
    """Make distance and floors by quarter hours, and steps where asked; more on some days and at week-ends."""
    liveliness = chance.random() + (0.4 if day.weekday() > 4 else 0)
    for quarter in AWAKE:
        if chance.random() > 0.45:
            continue
        steps = int(max(0.0, chance.gauss(150 + 260 * liveliness, 140)))
        metrics: dict[str, float] = {"distance": round(steps * 0.72, 1), "floors": chance.choice((0, 0, 0, 1, 2))}
        if with_steps:
            rate = min(170.0, 64 + steps / 9 + chance.gauss(0, 5))
            metrics |= {"steps": steps, "calories": round(8 + steps * 0.045, 1), "heart_rate": int(rate)}
        yield reading(day + quarter * QUARTER, "device_a", **metrics)
