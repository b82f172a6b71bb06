"""The final check: the service's answers against the model's, exact to the last digit."""

from __future__ import annotations

import asyncio
import json
from itertools import combinations
from random import Random
from typing import Any, NamedTuple
from urllib.parse import quote

import httpx

from scripts.simulate.model import MINUTE, Model, Rank, Total
from scripts.simulate.reading import DEFAULT_DEVICE, MICRO, Reading, instant, is_integer
from scripts.simulate.sender import Answer, deliver, problem

PRIORITIES = {"device_a": 1, "device_b": 2}
"""Device priorities that the service starts with; any other device has 999."""


class Range(NamedTuple):
    """`start <= t < end` in microseconds."""

    name: str
    start: int
    end: int
    past: bool = False
    """Whether the range reaches into the history."""


class Difference(NamedTuple):
    """One value that differs from what was sent."""

    user: str
    where: Range
    request: str
    field: str
    sent: object
    answered: object

    def words(self) -> str:
        """Return the difference as text."""
        if isinstance(self.sent, int | float) and isinstance(self.answered, int | float):
            apart = self.answered - self.sent
            return f"{abs(apart):.6g} too {'many' if apart > 0 else 'few'}"
        return "missing" if self.answered is None else "should not be there" if self.sent is None else "not the same"


class Outcome(NamedTuple):
    """The outcome of the comparison."""

    compared: int
    """Values compared."""
    differences: list[Difference]
    unanswered: list[str]
    """Descriptions of questions without a usable answer."""


def ranks(tied: list[str]) -> Rank:
    """Return the ranking of devices: by priority, and of equal ones by order in `tied`."""

    def rank(device: str) -> tuple[int, int]:
        return PRIORITIES.get(device, 999), tied.index(device) if device in tied else len(tied)

    return rank


def expected_metrics(total: Total) -> dict[str, object]:
    """Return the expected answer of GET /metrics for a range."""
    beats = total.beats / (total.beats_count * MICRO) if total.beats_count else None
    return {
        "avg_heart_rate": beats,
        "total_steps": total.steps if total.steps_count else None,
        "total_calories": total.calories / MICRO if total.calories_count else None,
    }


def expected_summary(total: Total) -> dict[str, object]:
    """Return the expected answer of GET /v1/users/…/summary for a range, with flat fields for the heart rate."""
    some = total.beats_count > 0
    return {
        "heart_rate.count": total.beats_count if some else None,
        "heart_rate.avg": total.beats / (total.beats_count * MICRO) if some else None,
        "heart_rate.min": total.beats_min / MICRO if some else None,
        "heart_rate.max": total.beats_max / MICRO if some else None,
        "steps": total.steps if total.steps_count else None,
        "calories": total.calories / MICRO if total.calories_count else None,
    }


def flat(summary: dict[str, Any]) -> dict[str, object]:
    """Return the compared fields of a summary, with flat fields for the heart rate."""
    beats = summary.get("heart_rate") or {}
    fields = {f"heart_rate.{name}": beats.get(name) for name in ("count", "avg", "min", "max")}
    return {**fields, "steps": summary.get("steps"), "calories": summary.get("calories")}


async def ask_metrics(client: httpx.AsyncClient, user: str, where: Range, patience: float) -> Answer | None:
    """Ask GET /metrics, whose range includes both ends."""
    query = {"user_id": user, "start": instant(where.start), "end": instant(where.end - 1)}
    return await deliver(client, "GET", "/metrics", patience=patience, params=query)


async def ask_summary(client: httpx.AsyncClient, user: str, where: Range, patience: float) -> Answer | None:
    """Ask GET /v1/users/…/summary, whose range is half-open."""
    query = {"start": instant(where.start), "end": instant(where.end)}
    path = f"/v1/users/{quote(user, safe='')}/summary"
    return await deliver(client, "GET", path, patience=patience, params=query)


def compare(
    user: str, where: Range, request: str, sent: dict[str, object], answered: dict[str, object]
) -> list[Difference]:
    """Return the fields in which an answer differs from what was sent."""
    return [
        Difference(user, where, request, field, value, answered.get(field))
        for field, value in sent.items()
        if answered.get(field) != value
    ]


def judge(user: str, where: Range, request: str, total: Total, answer: Answer | None) -> Outcome:
    """Compare one answer with the model's total."""
    summary = request == "summary"
    sent = expected_summary(total) if summary else expected_metrics(total)
    place = f"{request} of user {user}, {where.name}"
    if answer is None:
        return Outcome(0, [], [f"{place}: no answer"])
    if answer.status == 404:
        nothing = dict.fromkeys(sent)
        return Outcome(1, compare(user, where, request, {} if total.empty else sent, nothing), [])
    if answer.status != 200:
        return Outcome(0, [], [f"{place}: HTTP {answer.status}, {problem(answer)}"])
    try:
        document = json.loads(answer.body)
        answered = flat(document) if summary else dict(document)
    except (ValueError, TypeError, AttributeError):
        return Outcome(0, [], [f"{place}: the answer is not the announced JSON"])
    return Outcome(len(sent), compare(user, where, request, sent, answered), [])


async def check(
    client: httpx.AsyncClient,
    model: Model,
    questions: list[tuple[str, Range]],
    rank: Rank,
    patience: float,
    concurrency: int = 8,
) -> Outcome:
    """Ask the service for every user and range, and compare with the model."""
    gate = asyncio.Semaphore(concurrency)

    async def one(user: str, where: Range) -> list[Outcome]:
        async with gate:
            total = model.total(user, where.start, where.end, rank)
            outcomes = [judge(user, where, "summary", total, await ask_summary(client, user, where, patience))]
            if is_integer(user):
                answer = await ask_metrics(client, user, where, patience)
                outcomes.append(judge(user, where, "/metrics", total, answer))
            return outcomes

    found = [part for parts in await asyncio.gather(*(one(*q) for q in questions)) for part in parts]
    return Outcome(
        sum(part.compared for part in found),
        [difference for part in found for difference in part.differences],
        [words for part in found for words in part.unanswered],
    )


async def occupied(client: httpx.AsyncClient, user: str, where: Range, patience: float) -> bool | None:
    """Return whether the service already stores readings of a user in a range; None if it does not answer."""
    answer = await ask_summary(client, user, where, patience)
    if answer is None or answer.status not in (200, 404):
        return None
    return answer.status == 200


def ragged(draw: Random, start: int, end: int, count: int) -> list[Range]:
    """Return ranges of the past with arbitrary ends, to the microsecond."""
    made = []
    for number in range(1, count + 1):
        low, high = sorted(draw.randrange(start, end) for _ in range(2))
        made.append(Range(f"piece {number} of the past", low, high + 1, past=True))
    return made


def aligned(draw: Random, start: int, end: int, count: int) -> list[Range]:
    """Return ranges of whole minutes inside a longer one."""
    first, last = -(-start // MINUTE), end // MINUTE
    if last - first < 2:
        return []
    made = []
    for number in range(1, count + 1):
        low, high = sorted(draw.sample(range(first, last + 1), 2))
        made.append(Range(f"minutes {number}", low * MINUTE, high * MINUTE))
    return made


def tied_devices(devices: tuple[str, ...]) -> list[str]:
    """Return devices of equal priority, of which the one registered first wins; empty unless there are several."""
    equal = [device for device in devices if device not in PRIORITIES]
    return equal if len(equal) > 1 else []


def probes(user: str, tied: list[str], at: int) -> list[Reading]:
    """Return two readings for each pair of equal devices, a microsecond apart, of 60 and 61 beats/min."""
    made = []
    for number, pair in enumerate(combinations(tied, 2)):
        moment = at // 1000 * 1000 + number * 1000 + 250
        for place, device in enumerate(pair):
            made.append(Reading(user, device, moment + place, (60 + place) * MICRO, None, None))
    return made


async def registered_order(
    client: httpx.AsyncClient, sent: list[Reading], tied: list[str], patience: float
) -> list[str] | None:
    """Return equal devices in the order of their registration, from the winner of each pair of probes."""
    wins = dict.fromkeys(tied, 0)
    for first, second in zip(sent[::2], sent[1::2], strict=True):
        where = Range("probe", first.at, second.at + 1)
        answer = await ask_summary(client, first.user, where, patience)
        if answer is None or answer.status != 200:
            return None
        beats = flat(json.loads(answer.body))
        if beats["heart_rate.count"] != 1:
            return None
        wins[first.device if beats["heart_rate.avg"] == 60 else second.device] += 1
    return sorted(tied, key=lambda device: -wins[device])


def device_words(devices: tuple[str, ...]) -> str:
    """Return devices as text."""
    return "" if devices == (DEFAULT_DEVICE,) else f", each with {', '.join(devices)}"
