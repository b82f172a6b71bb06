"""Positions in the write-ahead log: where a write was committed, and how far a server has come."""

from __future__ import annotations

import asyncio
import re
from typing import NamedTuple

import psycopg

from service.database.bounded import connect
from service.database.pool import Connection, statement
from service.errors import Fault, Invalid, Overloaded

HEADER = "Hyperpulse-Position"
SECONDS = 2.5  # for which the primary may take to answer
CONNECT_SECONDS = 7.0  # for which it may take to connect, to one of several hosts
WRITTEN = re.compile(r"([0-9A-F]{1,8})/([0-9A-F]{1,8})/([0-9A-F]{1,8})", re.ASCII)
LSN_BITS, UNIT = 52, 8  # records are aligned to 8 bytes: 32 PiB of log, and 4095 failovers
MOST_TIMELINES = (1 << 64 - LSN_BITS) - 1


class Position(NamedTuple):
    """A byte of the log of a timeline, of which each failover begins another; a later position is greater.

    A position of an earlier timeline is part of the later ones, or was lost with the server that alone had it.
    """

    timeline: int
    lsn: int

    def __str__(self) -> str:
        return f"{self.timeline:X}/{self.lsn >> 32:X}/{self.lsn & 0xFFFF_FFFF:X}"

    def packed(self) -> int:
        """Return it as 64 bits that compare as positions do, rounded up to the next record."""
        return min(self.timeline, MOST_TIMELINES) << LSN_BITS | -(-self.lsn // UNIT)

    def is_within(self, reached: Position) -> bool:
        """Return whether a server that has come so far has it."""
        return self.timeline <= reached.timeline and self.lsn <= reached.lsn


NOWHERE = Position(0, 0)
"""What every server has."""


def unpacked(bits: int) -> Position:
    """Return the position that was packed."""
    return Position(bits >> LSN_BITS, (bits & (1 << LSN_BITS) - 1) * UNIT)


def parse_position(text: str) -> Position:
    """Read a position as the answer of a write has it; Invalid where it is none."""
    parts = WRITTEN.fullmatch(text)
    if parts is None:
        problem = "is no position; hand on what the answer of a write said"
        raise Invalid("The request is invalid.", [Fault(at=HEADER, problem=problem, value=text[:60])])
    timeline, high, low = (int(part, 16) for part in parts.groups())
    return Position(timeline, high << 32 | low)


class PrimaryLog:
    """The log of the primary: its end is asked for on a connection of its own, once for all that wait."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.connection: Connection | None = None
        self.system: int | None = None
        """Which cluster it is; its replicas have the same number."""
        self.waiting: list[asyncio.Future[Position]] = []
        self.asking: asyncio.Task[None] | None = None

    async def end(self) -> Position:
        """Return a position at or behind everything that is committed by now; Overloaded while the primary is away."""
        asked: asyncio.Future[Position] = asyncio.get_running_loop().create_future()
        self.waiting.append(asked)
        if self.asking is None or self.asking.done():
            self.asking = asyncio.create_task(self.answer())
        return await asked

    async def answer(self) -> None:
        """Answer all that wait: by a statement that begins after they came, or not at all."""
        while self.waiting:
            asked, self.waiting = self.waiting, []
            position: Position | None = None
            try:
                position = await self.ask_again()
            finally:
                for each in asked:
                    if each.done():
                        continue
                    if position is None:
                        each.set_exception(Overloaded("The database cannot be reached at the moment; try again."))
                    else:
                        each.set_result(position)

    async def ask_again(self) -> Position | None:
        """Ask, once more on a new connection where the old one was lost; None while the primary is away."""
        for _ in range(2):
            try:
                return await self.ask()
            except (psycopg.Error, OSError, TimeoutError):
                await self.close()
        return None

    async def ask(self) -> Position:
        """Ask the primary; an error where it is a replica by now."""
        if self.connection is None:
            self.connection = await connect(self.url, CONNECT_SECONDS, SECONDS)
        row = await (await self.connection.execute(statement("primary_position"))).fetchone()
        assert row is not None
        self.system = row["system"]
        return Position(int(row["timeline"], 16), row["lsn"])

    async def close(self) -> None:
        """Close the connection, if any."""
        connection, self.connection = self.connection, None
        if connection is not None:
            await connection.close()

    async def stop(self) -> None:
        """Ask no more."""
        if self.asking is not None:
            self.asking.cancel()
            await asyncio.wait({self.asking})
        await self.close()
