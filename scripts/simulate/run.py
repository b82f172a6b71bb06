"""A run: wait for the service, send the past, send live readings, check."""

from __future__ import annotations

import asyncio
import signal
import time
from contextlib import suppress
from random import Random

import httpx
from rich.console import Console

from scripts.client_key import key_headers
from scripts.simulate import schedule
from scripts.simulate.batching import Packer
from scripts.simulate.check import (
    Outcome,
    Range,
    aligned,
    check,
    device_words,
    occupied,
    probes,
    ragged,
    ranks,
    registered_order,
    tied_devices,
)
from scripts.simulate.display import Board, differences, outcome_words, sent_words
from scripts.simulate.ledger import Batch, Ledger
from scripts.simulate.model import Model, Rank
from scripts.simulate.options import Options
from scripts.simulate.reading import MICRO, as_body
from scripts.simulate.sender import ALARMING, deliver, problem, receipt_problem
from scripts.simulate.tally import Latencies, Tally

WINDOW = 20_000
"""Acknowledged readings that may be sent again."""

LINGER = MICRO
"""The longest time in microseconds that a live reading waits for its batch to fill."""

AHEAD = 86_400 * MICRO
"""Microseconds after the start in which readings of other runs would invalidate the check of the live part."""

PACE = 2.0
"""Seconds by which the live part may be late before that is reported."""

V1 = "/v1/readings"


class Problem(Exception):
    """A run cannot continue; the message is one sentence."""


def clock() -> int:
    """Return the time in microseconds since 1970."""
    return time.time_ns() // 1000


class Simulation:
    """The state of a run and its steps."""

    def __init__(self, options: Options, client: httpx.AsyncClient, console: Console) -> None:
        self.options = options
        self.client = client
        self.ending = asyncio.Event()
        self.terminated = False
        self.population = schedule.Population(options.seed, options.users, options.devices)
        self.draw = Random(options.seed)  # noqa: S311
        self.tally = Tally()
        self.board = Board(console, self.tally, len(options.users), progress=options.progress, quiet=options.quiet)
        self.queue: asyncio.Queue[tuple[str, Batch]] = asyncio.Queue(maxsize=2 * options.concurrency)
        self.start = self.past = 0
        self.pieces: list[Range] = []
        self.questions: list[tuple[str, Range]] = []
        self.ledger = Ledger(Model(), self.draw, 0)
        self.repeated = {"duplicate": 0, "conflict": 0}
        self.inexact: dict[str, str] = {}
        """The part that cannot be checked exactly, `live` or `past`, by user."""
        self.rank: Rank = ranks([])

    async def go(self) -> int:
        """Execute the whole run and return the exit status."""
        await self._ready()
        self._begin()
        await self._look_around()
        showing = asyncio.create_task(self.board.show())
        try:
            await self._send_all()
            self.ledger.close()
            checked = await self._ask() if self.options.check else None
        finally:
            showing.cancel()
            await asyncio.gather(showing, return_exceptions=True)
        return self._conclude(checked)

    # Before

    async def _ready(self) -> None:
        """Wait until the service is ready."""
        options = self.options
        deadline, reported, reason = time.monotonic() + options.wait, time.monotonic() + 1, "it does not answer"
        while not self.ending.is_set():
            try:
                answer = await self.client.get("/ready", timeout=5)
                if answer.status_code == 200:
                    return
                reason = f"it answers {answer.status_code} at /ready"
            except httpx.HTTPError:
                reason = "it does not answer"
            now = time.monotonic()
            if now >= deadline:
                raise Problem(f"{options.url} was not ready within {options.wait:g} s: {reason}.")
            if reported and now >= reported:
                self.board.say(f"Waiting for {options.url} to be ready …")
                reported = 0
            await asyncio.sleep(0.2)
        raise asyncio.CancelledError

    def _begin(self) -> None:
        """Set the start of the run, and with it the ranges that will be checked."""
        options = self.options
        self.start = clock() // 1000 * 1000
        self.past = self.start - round(options.history * MICRO)
        if options.history:
            self.pieces = ragged(self.draw, self.past, self.start, 3)
        edges = [self.past, self.start, *(edge for piece in self.pieces for edge in (piece.start, piece.end - 1))]
        window = WINDOW if options.duplicates or options.conflicts else 0
        self.ledger = Ledger(Model(edges if options.check else ()), self.draw, window)
        self.tally.start()
        self.board.say(self._intention())

    def _intention(self) -> str:
        """Return the plan of the run as text."""
        options, count = self.options, len(self.options.users)
        steps = []
        if options.history:
            steps.append(f"the past, a reading every {options.history_every:g} s to POST {V1}")
        if options.duration != 0:
            live = f"a reading every {options.every:g} s to POST {options.path}"
            steps.append(live if options.duration is None else f"{live} for {options.duration:g} s")
        who = f"{count:,} user{'s' * (count > 1)}{device_words(options.devices)}"
        return f"{who}: {', then '.join(steps)}, at {options.url}, seed {options.seed}."

    async def _look_around(self) -> None:
        """Find existing readings that make the check inexact, and the order of equal devices."""
        if not self.options.check:
            return
        where = Range("run", self.past, self.start + AHEAD)
        gate = asyncio.Semaphore(self.options.concurrency)

        async def look(user: str) -> None:
            async with gate:
                if await occupied(self.client, user, where, self.options.patience):
                    ahead = Range("live part", self.start, self.start + AHEAD)
                    live = await occupied(self.client, user, ahead, self.options.patience)
                    self.inexact[user] = "live" if live else "past"

        await asyncio.gather(*(look(user) for user in self.options.users))
        if self.inexact:
            self._warn()
        await self._probe()

    def _warn(self) -> None:
        """Print which parts cannot be checked because of readings that this run did not send."""
        for part, words in (("past", "the past of {} cannot be checked, its live part can"), ("live", "{} cannot")):
            users = [user for user, found in self.inexact.items() if found == part]
            if users:
                who = f"user {users[0]}" if len(users) == 1 else f"{len(users)} users"
                text = words.format(who) if part == "past" else f"{who} cannot be checked"
                self.board.complain(f"There are readings already that this run did not send: {text}.")

    async def _probe(self) -> None:
        """Send a few readings of equal devices at the same moments, and find which one the service prefers."""
        tied = tied_devices(self.options.devices)
        if not tied:
            return
        sent = probes(self.options.users[0], tied, self.start)
        await self._send(V1, Batch(sent, {}, len(sent)))
        order = await registered_order(self.client, sent, tied, self.options.patience)
        if order is None:
            raise Problem("The service did not say which of several equal devices wins, so nothing can be checked.")
        self.rank = ranks(order)

    # Sending

    async def _send_all(self) -> None:
        """Send the past, then live readings, until all requests are answered."""
        async with asyncio.TaskGroup() as group:
            workers = [group.create_task(self._work()) for _ in range(self.options.concurrency)]
            if self.options.history:
                await self._send_past()
            if self.options.duration != 0 and not self.ending.is_set():
                await self._send_live()
            for worker in workers:
                worker.cancel()

    def _packer(self, size: int, path: str) -> Packer:
        options = self.options
        draw = Random(self.draw.random())  # noqa: S311
        return Packer(size, options.duplicates, options.conflicts, self.ledger, draw, whole=path == "/ingest")

    async def _offer(self, path: str, batches: list[Batch]) -> None:
        """Queue batches for the workers; wait while these are busy."""
        for batch in batches:
            await self.queue.put((path, batch))
            await asyncio.sleep(0)

    async def _finish(self, path: str, packer: Packer) -> None:
        """Send the rest of a phase, with the repeats that are due, and wait for the answers."""
        await self._offer(path, packer.rest())
        await self.queue.join()
        if not self.ending.is_set():
            await self._offer(path, packer.repay() + packer.rest())
            await self.queue.join()
        for kind, count in packer.repeated.items():
            self.repeated[kind] += count

    async def _send_past(self) -> None:
        """Send the history, a day of one device at a time, and late readings after all others."""
        options = self.options
        self.board.start_backfill(schedule.history_size(self.population, self.past, self.start, options.history_every))
        packer = self._packer(options.history_batch, V1)
        held_back = schedule.LateReadings(options.late, options.late_by, self.draw)
        for reading in schedule.history(self.population, self.past, self.start, options.history_every):
            if self.ending.is_set():
                break
            if not held_back.hold(reading, 0):
                await self._offer(V1, packer.add(reading))
        for reading in held_back.release(None):
            if self.ending.is_set():
                break
            self.tally.late += 1
            await self._offer(V1, packer.add(reading))
        await self._finish(V1, packer)
        self.board.end_backfill()
        if not self.ending.is_set():
            self.board.say(f"The past is sent: {self.tally.fresh:,} readings, {self.tally.mean_rate():,.0f}/s.")

    async def _send_live(self) -> None:
        """Send live readings, each when it is due, until the duration is over or the run is stopped."""
        options, path = self.options, self.options.path
        self.board.phase = "sending live"
        self.tally.latencies = Latencies()  # the history's requests are larger
        begin = clock() // 1000 * 1000 + 1000
        end = None if options.duration is None else begin + round(options.duration * MICRO)
        packer = self._packer(options.batch, path)
        held_back = schedule.LateReadings(options.late, options.late_by, self.draw)
        waiting_since: int | None = None
        upcoming = schedule.live(self.population, begin, options.every, options.burst, options.burst_size)
        tick = next(upcoming)
        while not self.ending.is_set() and (end is None or clock() < end):
            now = clock()
            ready = list(held_back.release(now))
            self.tally.late += len(ready)
            self.board.behind = lag if (lag := (now - tick.due) / MICRO) > PACE else 0.0
            if tick.due <= now:
                ready += [reading for reading in tick.readings if not held_back.hold(reading, now)]
                tick = next(upcoming)
            for reading in ready:
                await self._offer(path, packer.add(reading))
            waiting_since = (waiting_since or now) if packer.pending else None
            if waiting_since is not None and now - waiting_since >= LINGER:
                await self._offer(path, packer.rest())
                waiting_since = None
            await self._sleep_until(tick.due, held_back.next_due(), end, waiting_since and waiting_since + LINGER)
        self.board.phase = "finishing"
        for reading in held_back.release(None):
            self.tally.late += 1
            await self._offer(path, packer.add(reading))
        await self._finish(path, packer)

    async def _sleep_until(self, *moments: int | None) -> None:
        """Sleep until the first of some moments (microseconds), or until the run is stopped."""
        seconds = (min(moment for moment in moments if moment is not None) - clock()) / MICRO
        if seconds <= 0:
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(self.ending.wait(), seconds)

    async def _work(self) -> None:
        """Send batches from the queue until cancelled."""
        while True:
            path, batch = await self.queue.get()
            try:
                await self._send(path, batch)
            finally:
                self.queue.task_done()

    async def _send(self, path: str, batch: Batch) -> None:
        """Send one batch until it is acknowledged or refused, or patience ends."""
        count = len(batch.readings)
        self.tally.sent += count
        self.board.in_flight += 1
        answer = await deliver(
            self.client,
            "POST",
            path,
            patience=self.options.patience,
            notice=self._notice,
            content=as_body(batch.readings, integer_user=path == "/ingest"),
            headers={"Content-Type": "application/json"},
        )
        self.board.in_flight -= 1
        if answer is None:
            self.tally.error("unknown outcome", f"no answer within {self.options.patience:g} s to {count} readings")
            self.ledger.lose(batch)
            return
        self.tally.requests += 1
        self.tally.latencies.add(answer.seconds)
        wrong = problem(answer) if not 200 <= answer.status < 300 else receipt_problem(answer, path, count)
        if wrong:
            self.tally.error(f"HTTP {answer.status}", wrong)
            self.ledger.lose(batch)
            return
        self.tally.accepted += count
        self.tally.fresh += batch.fresh
        self.board.advance(batch.fresh)
        self.ledger.acknowledge(batch, answer.in_doubt)

    def _notice(self, kind: str) -> None:
        """Count a failed attempt that will be repeated."""
        self.tally.retries[kind] += 1
        if kind in {f"HTTP {status}" for status in ALARMING}:
            self.tally.error(kind, "the service failed inside, and the request was sent again")

    # After

    async def _ask(self) -> Outcome:
        """Check the answers of the service."""
        self.board.phase = "checking"
        patience = min(self.options.patience, 60)
        self.questions = self._questions()
        return await check(self.client, self.ledger.model, self.questions, self.rank, patience)

    def _conclude(self, checked: Outcome | None) -> int:
        """Print what was sent and the outcome of the check; return the exit status."""
        failed = bool(self.tally.errors)
        say = self.board.complain if failed else self.board.say
        say(sent_words(self.tally, self.repeated))
        for kind, words in self.tally.examples.items():
            self.board.complain(f"{kind}: {words}")
        if self.board.behind:
            say(f"The live part ended {self.board.behind:.0f} s behind its pace.")
        equal = checked is None or self._judge(checked)
        return int(failed or not equal)

    def _questions(self) -> list[tuple[str, Range]]:
        """Return the ranges of each user in which the answers must equal what this run sent."""
        end = clock() + 1
        ranges = [Range("live part", self.start, end), *aligned(self.draw, self.start, end, 2)]
        if self.options.history:
            past = Range("the past", self.past, self.start, past=True)
            ranges += [past, Range("past and live part", self.past, end, past=True), *self.pieces]
        return [
            (user, where)
            for user in self.options.users
            if user not in self.ledger.uncertain and self.inexact.get(user) != "live"
            for where in ranges
            if not (where.past and user in self.inexact)
        ]

    def _judge(self, outcome: Outcome) -> bool:
        """Print the outcome of the check; return whether all values are equal."""
        board, users = self.board, {user for user, _ in self.questions}
        equal = not outcome.differences and not outcome.unanswered and not self.ledger.uncertain
        if self.ledger.uncertain:
            count = len(self.ledger.uncertain)
            board.complain(f"Check: {count} users are left out, as writes of theirs were refused or are unknown.")
        words = outcome_words(outcome, len(users), len({where for _, where in self.questions}))
        (board.say if equal else board.complain)(words)
        if outcome.differences:
            differences(board.console, outcome.differences)
        for text in outcome.unanswered[:10]:
            board.complain(text)
        return equal

    def stopped(self) -> int:
        """Print that the run was stopped; return the exit status."""
        self.board.say(f"{sent_words(self.tally, self.repeated)} Stopped; not checked.")
        return int(bool(self.tally.errors)) if self.terminated else 130


def _listen(simulation: Simulation, main: asyncio.Task[int]) -> None:
    """Stop the run on signals: after the check on the first interrupt, at once on the second or on a termination."""
    loop = asyncio.get_running_loop()

    def interrupted() -> None:
        if simulation.ending.is_set():
            main.cancel()
            return
        simulation.ending.set()
        simulation.board.phase = "finishing"
        simulation.board.say("Ending; Ctrl-C again stops at once.")

    def terminated() -> None:
        simulation.terminated = True
        main.cancel()

    loop.add_signal_handler(signal.SIGINT, interrupted)
    loop.add_signal_handler(signal.SIGTERM, terminated)


async def simulate(options: Options, console: Console) -> int:
    """Run the simulation and return the exit status."""
    limits = httpx.Limits(max_connections=options.concurrency, max_keepalive_connections=options.concurrency)
    timeout = httpx.Timeout(options.timeout, connect=5.0, pool=None)
    async with httpx.AsyncClient(
        base_url=options.url, limits=limits, timeout=timeout, headers=key_headers(), trust_env=False
    ) as client:
        simulation = Simulation(options, client, console)
        main = asyncio.create_task(simulation.go())
        _listen(simulation, main)
        try:
            return await main
        except Problem as problem:
            simulation.board.complain(str(problem))
            return 1
        except asyncio.CancelledError:
            return simulation.stopped()
