"""Answers sent piece by piece, to a client that may stall or leave."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

from starlette.types import Receive, Send

from service.errors import Problem


class Interrupted(Exception):
    """The database failed after the answer began; only a broken connection can still say so."""


async def hand_on(send: Send, piece: bytes, more: bool) -> None:
    """Send a piece, once the client has taken most of those before it; see service/server/slow_readers.py."""
    await send({"type": "http.response.body", "body": piece, "more_body": more})


async def unless_gone(receive: Receive, work: Coroutine[Any, Any, None]) -> None:
    """Run `work` until it ends or its client is gone; it is cancelled once, so that it can clean up."""
    sending = asyncio.create_task(work)
    leaving = asyncio.create_task(until_gone(receive))
    try:
        await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        leaving.cancel()
        sending.cancel()
        (outcome, _) = await asyncio.gather(sending, leaving, return_exceptions=True)
    if isinstance(outcome, Exception):
        raise outcome


async def until_gone(receive: Receive) -> None:
    """Wait until the client is gone."""
    with suppress(Problem):  # of a body that never comes
        while (await receive())["type"] != "http.disconnect":
            pass
