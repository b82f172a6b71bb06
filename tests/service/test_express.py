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


async def body() -> Message:
    return {"type": "http.request", "body": b"[]"}


def test_without_the_database_it_is_503() -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def next_one(*_: object) -> None:
        raise AssertionError("the long way is not asked")

    scope: dict[str, Any] = {
        "type": "http",
        "method": "POST",
        "path": express.PATH,
        "query_string": b"",
        "headers": [(b"content-length", b"2")],
        "state": {"state": SimpleNamespace(accepted=Away())},
    }
    asyncio.run(express.Express(next_one)(scope, body, send))
    assert sent[0]["status"] == 503
    assert b"retry-after" in dict(sent[0]["headers"])
