"""Live updates: `GET /v1/live` as a WebSocket or an event stream, and the WebSockets of earlier clients."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import TypeAlias

from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.routing import WebSocketRoute
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from service.answers.metrics_asked import MetricsAsked
from service.answers.parameters import LiveTenant, LiveUsers, parse_live_query
from service.answers.query_names import require_known
from service.auth.principal import require_scope
from service.database.pool import fetch_all
from service.errors import NotAcceptable, Problem
from service.http.problem_details import problem_response
from service.http.streaming import until_gone
from service.live.connections import (
    Connection,
    EarlierSocketConnection,
    SocketConnection,
    StreamConnection,
    protocol_of,
)
from service.routes.operation import Answer, Operation
from service.server.http_1_0 import OLD
from service.state import state_of

EVENT_STREAM = "text/event-stream"
ACCEPTS_EVENTS = re.compile(r"(^|,)\s*text/event-stream\s*(;(?!\s*q=0(\.0*)?\s*(,|$))[^,]*)?(,|$)", re.IGNORECASE)
SocketHandler: TypeAlias = Callable[[WebSocket], Awaitable[None]]
LIVE_ARGUMENTS = {name: field.annotation for name, field in LiveUsers.model_fields.items()}
RETRY = b"retry: 2000\n\n"  # ms


async def live_socket(socket: WebSocket) -> None:
    """Send updates of the users asked for, or of everyone."""
    try:
        require_known(socket, LIVE_ARGUMENTS)
        query = parse_live_query(socket, LiveUsers)
        await require_metrics(socket, query)
    except Problem as problem:
        await socket.send_denial_response(problem_response(problem))
        return
    await push(socket, query.tenant_id, query.user_id or None, SocketConnection, query.metrics)


async def earlier_everyone(socket: WebSocket) -> None:
    """Send an earlier client updates of everyone."""
    await earlier(socket, None)


async def earlier_user(socket: WebSocket) -> None:
    """Send an earlier client updates of one user."""
    await earlier(socket, [socket.path_params["user_id"]])


async def earlier(socket: WebSocket, user_ids: Sequence[str] | None) -> None:
    """Send an earlier client updates; arguments that are not known are ignored."""
    try:
        query = parse_live_query(socket, LiveTenant)
    except Problem as problem:
        await socket.send_denial_response(problem_response(problem))
        return
    await push(socket, query.tenant_id, user_ids, EarlierSocketConnection)


async def require_metrics(connection: HTTPConnection, query: LiveUsers) -> None:
    """Refuse a name that is no metric, as other answers do; the database is asked where this process knows none."""
    if query.metrics is not None and query.metrics.others:
        state = state_of(connection)
        registry = state.registries.of(query.tenant_id)
        if not registry.by_name:
            await registry.renew(patiently=True)
        if not registry.by_name.keys() >= set(query.metrics.others):
            await fetch_all(state.pool, "find_metrics", tenant_id=query.tenant_id, metrics=list(query.metrics.others))


async def push(
    socket: WebSocket,
    tenant_id: str,
    user_ids: Sequence[str] | None,
    kind: type[Connection],
    metrics: MetricsAsked | None = None,
) -> None:
    """Send updates to a client until it leaves or is dropped."""
    hub = state_of(socket).hub
    try:
        await hub.admit()
    except Problem as problem:
        await socket.send_denial_response(problem_response(problem))
        return
    await socket.accept()
    connection = kind(protocol_of(socket.scope), ack_timeout(socket))
    with suppress(WebSocketDisconnect), hub.subscribed(connection, tenant_id, user_ids, metrics):
        # Its messages are dropped by service/server/websocket_protocol.py.
        await socket.receive()


def ack_timeout(connection: HTTPConnection) -> float:
    """Return after how many seconds without an acknowledgement a peer is gone."""
    settings = state_of(connection).settings
    return 2.0 * settings.live_heartbeat_seconds + settings.live_slow_seconds


async def live(request: Request) -> Response:
    """Send updates of the users asked for, or of everyone, as an event stream."""
    if not ACCEPTS_EVENTS.search(request.headers.get("accept", "")):
        raise NotAcceptable(f"Live updates come over a WebSocket, or as an event stream: send Accept: {EVENT_STREAM}.")
    query = parse_live_query(request, LiveUsers)
    await require_metrics(request, query)
    await state_of(request).hub.admit()
    return EventStream(request, query)


class EventStream(Response):
    """An answer that lasts until the client leaves or is dropped."""

    media_type = EVENT_STREAM

    def __init__(self, request: Request, query: LiveUsers) -> None:
        # Proxies must not store, change or buffer it.
        super().__init__(
            headers={
                "Cache-Control": "no-cache, no-store, no-transform",
                "Vary": "Accept",
                "X-Accel-Buffering": "no",
                "Connection": "close",
            }
        )
        del self.headers["content-length"]
        self.request = request
        self.query = query

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the head, and then the messages of the hub."""
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        if scope["method"] == "HEAD":
            await send({"type": "http.response.body", "body": b""})
            return
        await send({"type": "http.response.body", "body": RETRY, "more_body": True})
        await self.push(scope, receive)
        await send({"type": "http.response.body", "body": b""})

    async def push(self, scope: Scope, receive: Receive) -> None:
        """Send updates until the client leaves or is dropped."""
        connection = StreamConnection(protocol_of(scope), ack_timeout(self.request), scope["http_version"] != OLD)
        hub, query = state_of(self.request).hub, self.query
        with hub.subscribed(connection, query.tenant_id, query.user_id or None, query.metrics):
            gone = asyncio.create_task(until_gone(receive))
            ended = asyncio.create_task(connection.ended.wait())
            try:
                await asyncio.wait({gone, ended}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                gone.cancel()
                ended.cancel()


STATE_EXAMPLE = (
    "retry: 2000\n\nid: 1736935200000000\n"
    'data: {"type":"state","users":[{"user_id":"user_123","latest":null}],"complete":true}\n\n'
    'id: 1736935200250000\ndata: {"type":"readings","user_id":"user_123","latest":{"last_seen":"2025-01-15T10:00:00Z",'
    '"heart_rate":{"value":75.0,"timestamp":"2025-01-15T10:00:00Z","device_id":"watch"},"steps":null,'
    '"calories":null},"count":1,"from":"2025-01-15T10:00:00Z","to":"2025-01-15T10:00:00Z"}\n\n'
)

OPERATIONS = [
    Operation(
        "GET",
        "/v1/live",
        live,
        "Live",
        "What happens, as it happens",
        {200: Answer("A stream of events that does not end by itself.", str, STATE_EXAMPLE, EVENT_STREAM)},
        access="read",
        description="First the current state of each user asked for, or of everyone; then a message after each commit "
        "that touched one. The same messages come over a WebSocket at this path, and a request that is neither that "
        f"nor accepts `{EVENT_STREAM}` is answered 406. `metrics` adds those metrics to each `latest`, by the rule of "
        "`GET /v1/users/{user_id}/latest`.\n\nThe `data` of an event is one JSON object, distinguished by "
        "`type`: `state` replaces what was known, `readings` says what changed, `interrupted` that the service has "
        "lost the database, `closing` why the stream ends. Comments are signs of life.",
        queries=[LiveUsers],
        refuses=(403, 406, 422, 503),
    )
]


def for_readers(handle: SocketHandler) -> SocketHandler:
    """Refuse sockets whose key may not read."""

    async def read(socket: WebSocket) -> None:
        try:
            require_scope(socket.scope, "read")
        except Problem as problem:
            await socket.send_denial_response(problem_response(problem))
            return
        await handle(socket)

    return read


def live_routes() -> list[WebSocketRoute]:
    """List the WebSocket routes; each needs a key that may read."""
    return [
        WebSocketRoute("/v1/live", for_readers(live_socket)),
        WebSocketRoute("/ws", for_readers(earlier_everyone)),
        WebSocketRoute("/ws/{user_id:name}", for_readers(earlier_user)),
    ]
