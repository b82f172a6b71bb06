"""The short way for readings, where it must answer as the long way does."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from starlette.types import Message

from service import express
from service.problems import Overloaded


class Away:
    """Nobody knows which timestamps are accepted, since the database is away."""

    async def now(self) -> None:
        raise Overloaded("The database is away; try again in a second.")


def test_without_the_database_it_is_503() -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def ask() -> bool:
        state: Any = SimpleNamespace(accepted=Away())
        return await express.answer(state, b"[]", {"type": "http", "method": "POST"}, None, send)  # type: ignore[arg-type]

    assert asyncio.run(ask()) is True
    assert sent[0]["status"] == 503
    assert b"retry-after" in dict(sent[0]["headers"])
