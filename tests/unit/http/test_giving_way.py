"""Requests of a tenant that uses much begin in the gaps of others, and those that waited for too long are refused."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Message, Receive, Scope, Send

from service import precedence
from service.http.departure import PROTOCOL
from service.http.giving_way import GivingWay
from service.shares import PARTY
from service.usage import STEADY

MUCH = 0.9 * STEADY  # of a processor


async def nothing() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


class Asked:
    """Requests to an application that answers each when it is let."""

    def __init__(self) -> None:
        self.order: list[str | None] = []
        self.answers: list[Message] = []
        self.let = asyncio.Event()
        self.middleware = GivingWay(self.answer, percent=100)

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.order.append(PARTY.get())
        await self.let.wait()
        await PlainTextResponse("ok")(scope, receive, send)

    async def ask(self, party: str | None, kind: str = "http", line: object = None) -> None:
        async def send(message: Message) -> None:
            self.answers.append(message)

        PARTY.set(party)
        extensions = {"websocket.http.response": {}, PROTOCOL: line}
        scope = {"type": kind, "path": "/", "method": "GET", "headers": [], "extensions": extensions}
        await self.middleware(scope, nothing, send)


def test_who_uses_much_comes_after_others() -> None:
    async def run() -> list[str | None]:
        asked = Asked()
        asked.middleware.precedence.note("flood", MUCH)
        asked.middleware.precedence.held.add("flood")
        asked.middleware.precedence.note("calm", 0.0)
        tasks = [asyncio.create_task(asked.ask(party)) for party in ("calm", "flood", "calm", None)]
        await asyncio.sleep(0)
        asked.let.set()
        await asyncio.gather(*tasks)
        assert not asked.middleware.precedence.begun
        assert not asked.middleware.precedence.waiting
        return asked.order

    assert asyncio.run(run()) == ["calm", "calm", None, "flood"]


@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_who_waited_for_too_long_is_refused(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precedence, "PATIENCE_SECONDS", 0.001)
    monkeypatch.setattr(precedence, "GAP_SECONDS", 60)
    monkeypatch.setattr(precedence, "LONG_SECONDS", 60)

    async def run() -> list[Message]:
        asked = Asked()
        asked.middleware.precedence.note("flood", MUCH)
        asked.middleware.precedence.held.add("flood")
        calm = asyncio.create_task(asked.ask("calm"))
        await asyncio.sleep(0)
        await asked.ask("flood", kind)
        calm.cancel()
        assert asked.order == ["calm"]
        return asked.answers

    begin, body = asyncio.run(run())
    assert begin["status"] == 503
    assert (b"retry-after", b"1") in begin["headers"]
    assert "beside others" in json.loads(body["body"])["detail"]


class Line(asyncio.Transport):
    """The protocol of a connection, and its transport."""

    def __init__(self) -> None:
        super().__init__()
        self.transport = self
        self.on_lost: Callable[[], Any] | None = None
        self.is_lost = False

    def is_closing(self) -> bool:
        return self.is_lost


@pytest.mark.parametrize("earlier", [True, False])
def test_who_leaves_while_waiting_is_waited_for_no_longer(earlier: bool) -> None:
    """Earlier: before the wait, of which the connection does not tell a second time."""

    async def run() -> list[Message]:
        asked, line = Asked(), Line()
        asked.middleware.precedence.note("flood", MUCH)
        asked.middleware.precedence.held.add("flood")
        calm = asyncio.create_task(asked.ask("calm"))
        await asyncio.sleep(0)
        line.is_lost = earlier
        flood = asyncio.create_task(asked.ask("flood", line=line))
        await asyncio.sleep(0)
        if not earlier:
            assert line.on_lost is not None
            line.on_lost()
        await asyncio.wait_for(flood, 1)
        assert line.on_lost is None
        assert asked.order == ["calm"]
        calm.cancel()
        return asked.answers

    assert asyncio.run(run())[0]["status"] == 400
