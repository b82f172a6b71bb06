"""The steps that a phone and a watch count together are the steps that were walked, not the sum of both.

A watch sends a reading for each minute with steps and nothing for the others, a phone sends intervals. Three days of
people who walk now and then: both devices there all day, the watch off for five hours, the phone left at home for four.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import httpx
import psycopg
import pytest

START = datetime(2025, 3, 10, tzinfo=UTC)
DAYS = 3
MINUTES = DAYS * 24 * 60
PATH = "/v1/readings"
WATCH, PHONE = "device_a", "phone"  # of which the first has the smaller priority


class Absence(NamedTuple):
    """The hours of each day at which a device counts nothing."""

    watch_off: range = range(0)
    phone_at_home: range = range(0)


ABSENCES = {
    "both all day": Absence(),
    "watch off five hours": Absence(watch_off=range(12, 17)),
    "phone left at home": Absence(phone_at_home=range(10, 14)),
}


@pytest.mark.parametrize("absence", ABSENCES)
@pytest.mark.parametrize("phone_seconds", [60, 600])
@pytest.mark.parametrize("says_worn", [True, False], ids=["worn windows", "no worn windows"])
def test_steps_are_those_walked(
    client: httpx.Client, db: psycopg.Connection, says_worn: bool, phone_seconds: int, absence: str
) -> None:
    walked, sent = everyone(ABSENCES[absence], phone_seconds, says_worn)
    deliver(client, sent)
    ratio = counted(client, walked) / sum(walked.values())
    low, high = (0.99, 1.015) if says_worn else (0.98, 1.05)
    assert low <= ratio <= high
    db.execute("CALL api.refresh()")
    assert counted(client, walked) / sum(walked.values()) == ratio


def everyone(absence: Absence, phone_seconds: int, says_worn: bool) -> tuple[dict[str, int], list[dict[str, Any]]]:
    """Return the steps that each person walked, and what the devices of all send."""
    walked, sent = {}, []
    for number in range(6):
        rng = random.Random(f"{absence} {number}")
        steps = walk(rng)
        user = f"person-{number}"
        walked[user] = sum(steps)
        phase = rng.choice([0, 0, 60, 180, 420]) if phone_seconds > 60 else rng.choice([0, 25])
        sent += [{"user_id": user, **one} for one in of_watch(steps, absence, says_worn)]
        sent += [{"user_id": user, **one} for one in of_phone(steps, absence, phone_seconds, phase)]
    return walked, sent


def walk(rng: random.Random) -> list[int]:
    """Return the steps of each minute: walks, chores, and rest."""
    steps = [0] * MINUTES
    for day in range(DAYS):
        minute, night = (day * 24 + 7) * 60, (day * 24 + 22) * 60
        while minute < night:
            kind, length = rng.random(), rng.randint(3, 30)
            for at in range(minute, min(night, minute + length)):
                if kind < 0.25:
                    steps[at] = rng.randint(80, 120)
                elif kind < 0.6 and rng.random() < 0.4:
                    steps[at] = rng.randint(5, 40)
            minute += length
    return steps


def of_watch(steps: list[int], absence: Absence, says_worn: bool) -> Iterator[dict[str, Any]]:
    """Yield a reading for each minute with steps while the watch is worn, and the hours in which it is."""
    for minute, count in enumerate(steps):
        if count and (minute // 60) % 24 not in absence.watch_off:
            yield {"device_id": WATCH, "timestamp": at(minute * 60), "steps": count}
    for hour in range(MINUTES // 60 if says_worn else 0):
        if hour % 24 not in absence.watch_off:
            yield {"device_id": WATCH, "timestamp": at(hour * 3600), "end": at((hour + 1) * 3600), "worn": True}


def of_phone(steps: list[int], absence: Absence, length: int, phase: int) -> Iterator[dict[str, Any]]:
    """Yield intervals with steps, and one in five of those without."""
    for number, start in enumerate(range(phase, MINUTES * 60, length)):
        end = min(start + length, MINUTES * 60)
        count = round(sum(each * portion for each, portion in within(steps, start, end, absence)))
        if count or number % 5 == 0:
            yield {"device_id": PHONE, "timestamp": at(start), "end": at(end), "steps": count}


def within(steps: list[int], start: int, end: int, absence: Absence) -> Iterator[tuple[int, float]]:
    """Yield the steps of the minutes that an interval of seconds overlaps, and how much of each lies in it."""
    for minute in range(start // 60, (end + 59) // 60):
        if (minute // 60) % 24 not in absence.phone_at_home:
            yield steps[minute], (min(end, minute * 60 + 60) - max(start, minute * 60)) / 60


def at(second: int) -> str:
    return (START + timedelta(seconds=second)).strftime("%Y-%m-%dT%H:%M:%SZ")


def deliver(client: httpx.Client, sent: list[dict[str, Any]]) -> None:
    """Send all as lines, in the order in which they end."""
    lines = "\n".join(json.dumps(one) for one in sorted(sent, key=lambda one: one.get("end", one["timestamp"])))
    receipt = client.post(PATH, content=lines, headers={"Content-Type": "application/x-ndjson"}).json()
    assert (receipt["received"], receipt["inserted"], receipt["rejected"]) == (len(sent), len(sent), 0)


def counted(client: httpx.Client, walked: dict[str, int]) -> int:
    """Return the steps of all days of all."""
    span = {"start": at(0), "end": at(MINUTES * 60)}
    return sum(int(client.get(f"/v1/users/{user}/summary", params=span).json()["steps"] or 0) for user in walked)
