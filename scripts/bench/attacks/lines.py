"""Connections of an attacker, each of which comes again soon after it was ended."""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
import socket
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from multiprocessing.connection import Connection
from typing import NamedTuple

ADDRESSES = 200
"""127.0.1.1 and those that follow it."""
STATUS = re.compile(rb"^HTTP/1\.[01] (\d{3})")
LONGEST_CONNECT = 10.0


class Line:
    """A connection."""

    def __init__(self, connected: socket.socket) -> None:
        self.loop = asyncio.get_running_loop()
        self.socket = connected
        self.began = time.monotonic()
        self.status = 0
        """Of the first answer; 0 before one."""
        self.answered = asyncio.Event()

    async def send(self, data: bytes) -> None:
        """Send all of it, as fast as the service reads."""
        await self.loop.sock_sendall(self.socket, data)

    async def hear(self) -> None:
        """Read whatever comes, until the service ends the connection."""
        with contextlib.suppress(OSError):
            while piece := await self.loop.sock_recv(self.socket, 65536):
                if not self.status and (found := STATUS.match(piece)):
                    self.status = int(found[1])
                self.answered.set()


Script = Callable[[Line, int], Awaitable[None]]
"""What a line does, by its number; where it returns, the attacker ends the connection."""


class Attack(NamedTuple):
    """How lines attack."""

    lines: int
    script: Script
    pause: float = 1.0
    """Seconds after which a line comes again."""
    per_second: float = 2000.0
    """How many lines begin in a second."""
    listens: bool = True
    receives: int | None = None
    """Size of the buffer for what the service sends, where it matters."""
    breaks: bool = False
    """Whether a line that the attacker ends is reset."""


class Tally(NamedTuple):
    """What became of lines."""

    opened: int
    unopened: int
    """Connections that were not accepted."""
    ended: int
    """Connections that the service ended."""
    statuses: dict[int, int]
    """Answers, by status."""
    processor: float
    """Seconds of processor time of the attacker."""


class Swarm:
    """The lines of an attack."""

    def __init__(self, port: int, attack: Attack) -> None:
        self.port = port
        self.attack = attack
        self.opened = self.unopened = self.ended = 0
        self.statuses: Counter[int] = Counter()
        self.over = asyncio.Event()
        """Set when no line is to come again."""

    async def run(self) -> None:
        """Run all lines until none comes again and all have been ended."""
        await asyncio.gather(*(self.keep(number) for number in range(self.attack.lines)))

    async def keep(self, number: int) -> None:
        """Connect again and again."""
        await self.rest(number / self.attack.per_second)
        while not self.over.is_set():
            await self.once(number)
            await self.rest(self.attack.pause * random.uniform(0.8, 1.2))  # noqa: S311

    async def rest(self, seconds: float) -> None:
        """Pause, unless it is over before."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.over.wait(), seconds)

    async def once(self, number: int) -> None:
        """Connect, and do what the script says until one side ends it."""
        with socket.socket() as opened:
            opened.setblocking(False)
            if self.attack.receives is not None:
                opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.attack.receives)
            if not await self.connect(opened, number):
                self.unopened += 1
                return
            self.opened += 1
            line = Line(opened)
            work = [asyncio.ensure_future(self.attack.script(line, number))]
            if self.attack.listens:
                work.append(asyncio.create_task(line.hear()))
            try:
                await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in work:
                    task.cancel()
                failures = await asyncio.gather(*work, return_exceptions=True)
                if isinstance(failures[0], BaseException):  # else the script came to its end
                    self.ended += 1
                elif self.attack.breaks:
                    opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                self.statuses[line.status] += 1

    async def connect(self, opened: socket.socket, number: int) -> bool:
        """Connect from one of several addresses of this machine; return whether that succeeds."""
        loop = asyncio.get_running_loop()
        # Without this the kernel reserves a port for the address, rather than for the connection.
        opened.setsockopt(socket.IPPROTO_IP, getattr(socket, "IP_BIND_ADDRESS_NO_PORT", 24), 1)
        try:
            opened.bind((f"127.0.1.{number % ADDRESSES + 1}", 0))
            await asyncio.wait_for(loop.sock_connect(opened, ("127.0.0.1", self.port)), LONGEST_CONNECT)
        except (OSError, TimeoutError):
            return False
        return True


async def attack(pipe: Connection, port: int, how: Attack) -> None:
    """Attack until something comes through the pipe, and come no more then; the second time, answer with a tally."""
    swarm = Swarm(port, how)
    running = asyncio.create_task(swarm.run())
    await asyncio.to_thread(pipe.recv)
    swarm.over.set()
    await asyncio.to_thread(pipe.recv)
    running.cancel()
    await asyncio.wait({running})
    pipe.send(Tally(swarm.opened, swarm.unopened, swarm.ended, dict(swarm.statuses), time.process_time()))
