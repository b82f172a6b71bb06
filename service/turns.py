"""Turns of the event loop, for work of a millisecond or more: one piece of it in a turn.

What the network and the database said meanwhile is heard between two pieces, rather than after all that wait.
"""

from __future__ import annotations

import asyncio


class Turns:
    """Lets one piece of work go on in each turn, in the order in which they came."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()

    async def next(self) -> None:
        """Wait for a turn, and have it until the next one begins."""
        await self.lock.acquire()
        asyncio.get_running_loop().call_soon(self.lock.release)
