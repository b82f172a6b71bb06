"""A run of walks: send what a phone and a watch counted, and compare the answers with what was walked."""

from __future__ import annotations

import asyncio
import json
import time
from typing import NamedTuple
from urllib.parse import quote

import httpx
from rich.console import Console

from scripts.client_key import key_headers
from scripts.simulate import walks
from scripts.simulate.check import Range, occupied
from scripts.simulate.options import Options
from scripts.simulate.reading import MICRO, instant
from scripts.simulate.sender import deliver, problem

NEAR, NEAR_A_DAY = 0.015, 0.05
"""By which share of what was walked in the whole time, or in a day of it, an answer may differ.

The minutes of a phone's interval are not known, so one during which the watch is taken off is right only on average.
"""

LEAST = 2000
"""Steps in time that is compared."""

SHOWN = 10


class Question(NamedTuple):
    """Some minutes of a user, and the steps that were walked in them."""

    user: str
    start: int
    end: int
    steps: int
    near: float


class Failed(Exception):
    """A run cannot go on; the message is one sentence."""


async def walk(options: Options, console: Console) -> int:
    """Run the walks and return the exit status: 0 where every answer is near what was walked."""
    limits = httpx.Limits(max_connections=options.concurrency)
    async with httpx.AsyncClient(
        base_url=options.url, limits=limits, timeout=options.timeout, headers=key_headers(), trust_env=False
    ) as client:
        try:
            return await Walking(options, client, console).go()
        except Failed as failed:
            console.print(str(failed), markup=False, highlight=False)
            return 1


class Walking:
    """The state of a run."""

    def __init__(self, options: Options, client: httpx.AsyncClient, console: Console) -> None:
        self.options = options
        self.client = client
        self.console = console
        self.gate = asyncio.Semaphore(options.concurrency)
        self.end = int(time.time()) // walks.MINUTE
        self.start = self.end - int(options.history) // walks.MINUTE
        self.sent = 0

    async def go(self) -> int:
        """Send everything, and check."""
        users = self.options.users
        await asyncio.gather(*map(self.require_nothing, users))
        await asyncio.gather(*map(self.send, users))
        self.say(f"Sent {self.sent:,} readings of {len(users):,} users, each with a watch and a phone.")
        if not self.options.check:
            return 0
        questions = [question for user in users for question in self.questions(user)]
        answers = await asyncio.gather(*map(self.ask, questions))
        return self.judge(list(zip(questions, answers, strict=True)))

    async def require_nothing(self, user: str) -> None:
        """Refuse a user of whom something is stored already, which would count, too."""
        where = Range("the past", self.start * walks.MINUTE * MICRO, self.end * walks.MINUTE * MICRO)
        async with self.gate:
            if await occupied(self.client, user, where, self.options.patience):
                raise Failed(f"Readings of user {user} are stored already; name other --users.")

    async def send(self, user: str) -> None:
        """Send what the devices of a user counted, sync by sync, since a device sends its syncs in order."""
        options = self.options
        length = int(options.walks) // walks.MINUTE
        async with self.gate:
            for sync in walks.syncs(options.seed, user, self.start, self.end, length, options.late):
                for first in range(0, len(sync.readings), options.history_batch):
                    await self.post(sync.readings[first : first + options.history_batch])

    async def post(self, readings: list[dict[str, object]]) -> None:
        """Send readings until they are acknowledged."""
        answer = await deliver(self.client, "POST", "/v1/readings", patience=self.options.patience, json=readings)
        if answer is None or answer.status != 200 or json.loads(answer.body)["rejected"]:
            words = "no answer" if answer is None else f"HTTP {answer.status}, {problem(answer)}"
            raise Failed(f"The service did not take {len(readings)} readings: {words}.")
        self.sent += len(readings)

    def questions(self, user: str) -> list[Question]:
        """Return the whole time, and each of its days."""
        days = range(-(-self.start // walks.DAY), self.end // walks.DAY)
        ranges = [(self.start, self.end, NEAR)]
        ranges += [(day * walks.DAY, (day + 1) * walks.DAY, NEAR_A_DAY) for day in days]
        seed = self.options.seed
        asked = [
            Question(user, start, end, walks.steps_between(seed, user, start, end), near) for start, end, near in ranges
        ]
        return [question for question in asked if question.steps >= LEAST]

    async def ask(self, question: Question) -> int:
        """Return the steps that the service answers."""
        query = {"start": moment(question.start), "end": moment(question.end)}
        path = f"/v1/users/{quote(question.user, safe='')}/summary"
        async with self.gate:
            answer = await deliver(self.client, "GET", path, patience=self.options.patience, params=query)
        if answer is None or answer.status not in (200, 404):
            raise Failed(f"The service does not say what user {question.user} walked.")
        steps: int | None = json.loads(answer.body)["steps"] if answer.status == 200 else None
        return steps or 0

    def judge(self, answered: list[tuple[Question, int]]) -> int:
        """Print how near the answers are to what was walked; return the exit status."""
        if not answered:
            raise Failed(f"Nobody walked {LEAST:,} steps; send a longer --history.")
        far = [(asked, said) for asked, said in answered if abs(said - asked.steps) > asked.near * asked.steps]
        shares = [said / asked.steps for asked, said in answered]
        shown = f"{min(shares):.2%} to {max(shares):.2%}"
        self.say(f"Check: {len(answered):,} answers have {shown} of the steps that were walked.")
        for asked, said in far[:SHOWN]:
            self.say(
                f"User {asked.user}, {moment(asked.start)} to {moment(asked.end)}: {asked.steps:,} steps were walked, "
                f"the service answers {said:,}."
            )
        if far:
            self.say(f"{len(far):,} of them are not within {NEAR:.1%}, or {NEAR_A_DAY:.1%} of a day.")
        return int(bool(far))

    def say(self, words: str) -> None:
        """Print a line."""
        if not self.options.quiet:
            self.console.print(words, markup=False, highlight=False, soft_wrap=True)


def moment(minute: int) -> str:
    """Write a minute since 1970."""
    return instant(minute * walks.MINUTE * MICRO)
