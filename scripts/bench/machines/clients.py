"""Clients behind a balancer: a request may fail once with 503 and Retry-After, and live clients must miss nothing."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from scripts.bench.overload.client import Answer, Client, Request
from scripts.bench.overload.load import BUSY
from scripts.bench.under_load.clients import PATIENCE, Clients, Writer

SOCKETS = 4
STREAMS = 2
AGAIN_SECONDS = 1.0
"""After which a client sends a refused request again, and a live client connects again."""
CATCH_UP_SECONDS = 10.0


class View:
    """What a live client knows: when the latest reading was, of each user."""

    def __init__(self, name: str, writers: list[Writer]) -> None:
        self.name = name
        self.writers = {writer.user_id: writer for writer in writers}
        self.latest: dict[str, datetime] = {}
        self.least: dict[str, datetime] = {}
        """What the next snapshot must have: all that was answered before the connection was asked for."""
        self.heard_at = 0.0
        self.longest = 0.0
        """Seconds between two messages at most."""
        self.connections = 0
        self.closings: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()

    def begin(self) -> None:
        """Note what is answered before a connection is asked for."""
        self.connections += 1
        self.least = {name: last(writer) for name, writer in self.writers.items() if writer.answered}

    def hear(self, message: dict[str, Any]) -> None:
        """Take a message."""
        if message["type"] not in ("state", "readings"):
            if message["type"] == "closing":
                self.closings[f"{message['code']} {message['reason']}"] += 1
            return
        now = time.monotonic()
        self.longest = max(self.longest, now - self.heard_at) if self.heard_at else 0.0
        self.heard_at = now
        for user in message["users"] if message["type"] == "state" else [message]:
            if user["latest"] is None:
                continue
            seen = datetime.fromisoformat(user["latest"]["last_seen"])
            if seen < self.latest.get(user["user_id"], seen):
                self.faults["the latest reading went back"] += 1
            self.latest[user["user_id"]] = seen
        if message["type"] == "state":
            if any(self.latest.get(name, least - timedelta(days=1)) < least for name, least in self.least.items()):
                self.faults["a snapshot lacks what was answered before it"] += 1
            self.least = {}

    @property
    def is_complete(self) -> bool:
        """Whether it has the last reading of each user that was answered."""
        return all(
            self.latest.get(name, writer.start) >= last(writer)
            for name, writer in self.writers.items()
            if writer.answered
        )


class MachineClients(Clients):
    """All clients, and what they were answered."""

    def __init__(self, port: int, asks_ready: bool) -> None:
        super().__init__(port)
        self.asks_ready = asks_ready
        self.client = Client(port, sends_again=False)
        self.refused = 0
        """Requests that got 503 with Retry-After."""
        self.healed = 0
        """Of them, those that one retry healed."""
        self.sending = True
        names = [f"socket-{number}" for number in range(SOCKETS)] + [f"stream-{number}" for number in range(STREAMS)]
        self.views = [View(name, self.writers) for name in names]
        users = "&".join(f"user_id={writer.user_id}" for writer in self.writers)
        self.target = f"/v1/live?{users}"

    async def run(self) -> None:
        """Write, ask and listen until it is over; live clients may catch up in the end."""
        listening = [
            asyncio.create_task(self.follow(view) if view.name.startswith("socket") else self.stream(view))
            for view in self.views
        ]
        async with asyncio.TaskGroup() as tasks:
            self.begin(tasks)
            if self.asks_ready:
                tasks.create_task(self.look())
        deadline = time.monotonic() + CATCH_UP_SECONDS
        while not all(view.is_complete for view in self.views) and time.monotonic() < deadline:
            await asyncio.sleep(0.05)
        for task in listening:
            task.cancel()
        for ended in await asyncio.gather(*listening, return_exceptions=True):
            if not isinstance(ended, asyncio.CancelledError):
                self.faults[f"a live client: {ended!r}"] += 1
        self.client.close()

    async def send(self, what: str, head: str, body: bytes = b"") -> Answer:
        """Send a request, once more where it is refused with Retry-After; everything else is a fault."""
        answer = await self.ask_once(head, body)
        if answer.status in BUSY and answer.retry_after:
            self.refused += 1
            await asyncio.sleep(AGAIN_SECONDS)
            answer = await self.ask_once(head, body)
            self.healed += 200 <= answer.status < 300
        if not 200 <= answer.status < 300:
            self.faults[f"{what}: {answer.status} {answer.body[:200].decode(errors='replace')}"] += 1
        return answer

    async def ask_once(self, head: str, body: bytes) -> Answer:
        """Send a request, and count its answer."""
        answer = await self.client.ask(Request(head, body), PATIENCE)
        self.statuses[answer.status] += 1
        self.longest = max(self.longest, answer.seconds)
        return answer

    async def follow(self, view: View) -> None:
        """Follow all users over a WebSocket, and over another one where that ends."""
        while True:
            view.begin()
            try:
                async with connect(f"ws://127.0.0.1:{self.port}{self.target}", open_timeout=PATIENCE) as socket:
                    async for text in socket:
                        view.hear(json.loads(text))
            except ConnectionClosed as error:
                view.faults[f"a WebSocket ended with {error.rcvd}"] += 1
            except (OSError, InvalidHandshake) as error:
                view.faults[f"a WebSocket does not open: {error!r}"] += 1
            await asyncio.sleep(AGAIN_SECONDS)

    async def stream(self, view: View) -> None:
        """Follow all users over an event stream, and over another one where that ends."""
        fields = "Host: localhost\r\nConnection: close\r\nAccept: text/event-stream\r\n\r\n"
        while True:
            view.begin()
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
                try:
                    writer.write(f"GET {self.target} HTTP/1.1\r\n{fields}".encode())
                    if b" 200 " not in (status := await reader.readline()):
                        view.faults[f"an event stream does not open: {status!r}"] += 1
                    while line := await reader.readline():
                        if line.startswith(b"data:"):
                            view.hear(json.loads(line[5:]))
                finally:
                    writer.close()
            except OSError as error:
                view.faults[f"an event stream ended with {error!r}"] += 1
            await asyncio.sleep(AGAIN_SECONDS)


def last(writer: Writer) -> datetime:
    """Return the moment of the last reading of which an answer says that it is stored."""
    return writer.start + timedelta(seconds=writer.answered - 1)
