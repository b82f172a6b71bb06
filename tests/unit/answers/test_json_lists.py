"""Long lists that wait for slow clients are bounded."""

from __future__ import annotations

import asyncio
import json

import pytest
from starlette.types import Message

from service.answers.json_lists import list_response
from service.errors import Overloaded
from service.http.memory_budget import MemoryBudget

PIECES = [b'"%b"' % (b"x" * 1000)] * 3
SCOPE = {"type": "http", "method": "GET", "asgi": {"spec_version": "2.3"}}


async def forever() -> Message:
    await asyncio.sleep(3600)
    raise AssertionError


def test_what_waits_for_slow_clients_is_bounded() -> None:
    memory = MemoryBudget(8000, "Answers")
    taken = asyncio.Event()
    sent: list[bytes] = []

    async def slowly(message: Message) -> None:
        await taken.wait()
        sent.append(message.get("body", b""))

    async def ask() -> None:
        async def answer() -> None:
            await list_response(memory, {"a": 1}, "items", PIECES, {})(SCOPE, forever, slowly)

        slow = [asyncio.create_task(answer()) for _ in range(2)]
        await asyncio.sleep(0)
        assert memory.shares.held > 6000
        with pytest.raises(Overloaded, match="Answers of"):
            await answer()
        taken.set()
        await asyncio.gather(*slow)
        assert memory.shares.held == 0
        sent.clear()
        await answer()

    asyncio.run(ask())
    assert json.loads(b"".join(sent)) == {"a": 1, "items": ["x" * 1000] * 3}
