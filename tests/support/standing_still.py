"""A stand-in for a server that stands still: it lets clients in, and says nothing more."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

WELCOME = b"R" + struct.pack("!ii", 8, 0) + b"Z" + struct.pack("!ic", 5, b"I")
VERSION = struct.pack("!i", 3 << 16)  # of the protocol, where what comes is no request to cancel something


@asynccontextmanager
async def standing_still(sessions: asyncio.Semaphore | None = None) -> AsyncIterator[str]:
    """Accept connections, and answer no statement; `sessions` is released for each session."""

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        said = await reader.readexactly(struct.unpack("!i", await reader.readexactly(4))[0] - 4)
        if sessions is not None and said.startswith(VERSION):
            sessions.release()
        writer.write(WELCOME)
        await reader.read()
        writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        yield f"postgresql://ada@127.0.0.1:{port}/postgres?sslmode=disable&gssencmode=disable"
