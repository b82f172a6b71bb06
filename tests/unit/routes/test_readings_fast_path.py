"""The short way for readings, where it must answer as the long way does."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from starlette.types import Message

from service.auth.principal import ANYBODY, PRINCIPAL, Principal
from service.errors import Overloaded
from service.http.tenancy import DEFAULT_TENANT
from service.ingest.registry_cache import RegistryCache
from service.ingest.writer import Writer
from service.model.reading import Row
from service.model.registry import Registry
from service.routes import readings_fast_path
from service.routes.admission import READING_BYTES


class Away:
    """Nobody knows which timestamps are accepted, since the database is away."""

    async def now(self, registry: Registry) -> None:
        raise Overloaded("The database is away; try again in a second.")


async def body() -> Message:
    return {"type": "http.request", "body": b"[]"}


async def next_one(*_: object) -> None:
    raise AssertionError("the long way is not asked")


def scope_of(length: int, *headers: tuple[bytes, bytes], **state: Any) -> dict[str, Any]:
    """Describe a request of the short way."""
    return {
        "type": "http",
        "method": "POST",
        "path": readings_fast_path.PATH,
        "query_string": b"",
        "http_version": "1.1",
        "headers": [(b"content-length", b"%d" % length), *headers],
        "state": {"state": SimpleNamespace(**state)},
        PRINCIPAL: ANYBODY,
    }


def test_without_the_database_it_is_503() -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def ask() -> None:
        writer = Writer(None, 100, 60)  # type: ignore[arg-type]
        await readings_fast_path.ReadingsFastPath(next_one)(
            scope_of(2, timestamp_window=Away(), registries=RegistryCache(None), writer=writer),  # type: ignore[arg-type]
            body,
            send,
        )

    asyncio.run(ask())
    assert sent[0]["status"] == 503
    assert b"retry-after" in dict(sent[0]["headers"])


def test_what_finds_no_room_is_refused_unread() -> None:
    sent: list[Message] = []
    received: list[str] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        received.append("body")
        raise Overloaded("this one was read")

    async def ask() -> None:
        writer = Writer(None, 100, 60)  # type: ignore[arg-type]
        waiting = asyncio.create_task(writer.write(DEFAULT_TENANT, [Row("ada", "watch", 0, 60.0)] * 90))
        await asyncio.sleep(0)
        await readings_fast_path.ReadingsFastPath(next_one)(scope_of(20 * READING_BYTES, writer=writer), receive, send)
        assert not received
        await readings_fast_path.ReadingsFastPath(next_one)(scope_of(5 * READING_BYTES, writer=writer), receive, send)
        assert received
        # Where the connection is closed then, the answer might be lost.
        closed = scope_of(20 * READING_BYTES, (b"connection", b"Close"), writer=writer)
        await readings_fast_path.ReadingsFastPath(next_one)(closed, receive, send)
        old = scope_of(20 * READING_BYTES, writer=writer) | {"http_version": "1.0"}
        await readings_fast_path.ReadingsFastPath(next_one)(old, receive, send)
        assert len(received) == 3
        waiting.cancel()

    asyncio.run(ask())
    assert [message["status"] for message in sent if "status" in message] == [503] * 4
    assert b"90 readings wait" in sent[1]["body"]
    assert b"was read" in sent[3]["body"]


def test_without_a_key_that_may_write_nothing_is_read() -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def unread() -> Message:
        raise AssertionError("the body is read")

    reader = {**scope_of(2), PRINCIPAL: Principal("0123456789ab", None, frozenset(["read"]))}
    asyncio.run(readings_fast_path.ReadingsFastPath(next_one)(reader, unread, send))
    assert sent[0]["status"] == 403
