"""Send pieces, and find out which lines the service rejects, and why."""

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
"""What one reading too many or one that is broken may be answered with; smaller pieces tell which."""


class Post(Protocol):
    """Posts a body to /v1/readings, again and again until it is answered for good."""

    async def __call__(self, body: bytes) -> Answer:
        """Return the answer; CannotSend when there is none."""


class Outcome:
    """What became of readings."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.rejects: list[Reject] = []


async def deliver_items(post: Post, items: list[Item], outcome: Outcome) -> None:
    """Send readings and add what became of them to the outcome; CannotSend when the service refuses all."""
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
    """Write readings as a JSON array."""
    return b"[" + b",\n".join(item.json for item in items) + b"]"


def receipt_of(answer: Answer, count: int) -> Any:
    """Return the receipt for so many readings; CannotSend where the answer is another."""
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
    """Add the rejected lines. A receipt names the first hundred faults; sending the rest again names the next."""
    expected = receipt["rejected"]
    while expected:
        named = problems_by_index(receipt["errors"])
        found = sorted(index for index in named if index < len(items))
        if not found:
            raise CannotSend("The service rejects readings and does not say which.")
        outcome.rejects += [Reject(items[index].line, named[index]) for index in found]
        expected -= len(found)
        if expected > 0:
            # What is sent again and valid is unchanged, and was counted before.
            items = items[found[-1] + 1 :]
            receipt = receipt_of(await post(body_of(items)), len(items))


def problems_by_index(errors: Any) -> dict[int, list[dict[str, object]]]:
    """Group the errors of a receipt by the reading that they are about."""
    named: dict[int, list[dict[str, object]]] = {}
    for error in errors:
        if match := PLACE.fullmatch(str(error.get("at", ""))):
            place = {"at": match[2]} if match[2] else {}
            named.setdefault(int(match[1]), []).append({**place, **{k: v for k, v in error.items() if k != "at"}})
    return named
