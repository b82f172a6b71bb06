"""Send chunks, and find the lines that the service rejects, with the reasons."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any, Protocol

from scripts.load.chunks import Item, Reject
from scripts.load.errors import CannotSend
from scripts.simulate.sender import Answer, problem

PLACE = re.compile(r"readings\[(\d+)\]\.?(.*)")
SMALLER = (400, 413)
"""Statuses for a body that is too large or broken; smaller requests show which reading is the cause."""


class Post(Protocol):
    """Posts a body to /v1/readings, repeatedly until there is a final answer."""

    async def __call__(self, body: bytes) -> Answer:
        """Return the final answer; CannotSend if there is none."""


class Outcome:
    """The outcome of readings: counts and rejects."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.rejects: list[Reject] = []


async def deliver_items(post: Post, items: list[Item], outcome: Outcome) -> None:
    """Send readings and add to their outcome; CannotSend if the service refuses them."""
    if not items:
        return
    answer = await post(body_of(items))
    if answer.status in SMALLER and len(items) > 1:
        middle = len(items) // 2
        await deliver_items(post, items[:middle], outcome)
        await deliver_items(post, items[middle:], outcome)
    elif answer.status in SMALLER:
        outcome.counts["rejected"] += 1
        outcome.rejects.append(Reject(items[0].line, [{"problem": problem(answer)}]))
    else:
        receipt = receipt_of(answer, len(items))
        outcome.counts.update({name: receipt[name] for name in ("inserted", "updated", "unchanged", "rejected")})
        await find_rejects(post, items, receipt, outcome)


def body_of(items: list[Item]) -> bytes:
    """Return readings as a JSON array."""
    return b"[" + b",\n".join(item.json for item in items) + b"]"


def receipt_of(answer: Answer, count: int) -> Any:
    """Return the receipt for `count` readings; CannotSend if the answer is none."""
    if answer.status not in (200, 422):
        raise CannotSend(f"The service answers {answer.status}: {problem(answer)}")
    try:
        receipt = json.loads(answer.body)
        counted = sum(receipt[name] for name in ("inserted", "updated", "unchanged", "rejected"))
        is_right = receipt["received"] == counted == count
    except (ValueError, KeyError, TypeError):
        is_right = False
    if not is_right:
        raise CannotSend(f"The service's answer is no receipt for {count} readings: {problem(answer)}")
    return receipt


async def find_rejects(post: Post, items: list[Item], receipt: Any, outcome: Outcome) -> None:
    """Add the rejected lines. A receipt names the first hundred errors; sending the rest again names the next."""
    expected = receipt["rejected"]
    while expected:
        named = problems_by_index(receipt["errors"])
        found = sorted(index for index in named if index < len(items))
        if not found:
            raise CannotSend("The service rejects readings and does not name them.")
        outcome.rejects += [Reject(items[index].line, named[index]) for index in found]
        expected -= len(found)
        if expected > 0:
            # Valid readings that are sent again are unchanged, and were counted before.
            items = items[found[-1] + 1 :]
            receipt = receipt_of(await post(body_of(items)), len(items))


def problems_by_index(errors: Any) -> dict[int, list[dict[str, object]]]:
    """Group the errors of a receipt by the index of the reading."""
    named: dict[int, list[dict[str, object]]] = {}
    for error in errors:
        if match := PLACE.fullmatch(str(error.get("at", ""))):
            place = {"at": match[2]} if match[2] else {}
            named.setdefault(int(match[1]), []).append({**place, **{k: v for k, v in error.items() if k != "at"}})
    return named
