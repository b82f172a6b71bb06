"""Live updates over a WebSocket, as the earlier services' clients expect them."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from pydantic_core import to_json
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from service.problems import Problem
from service.state import state_of

SEND_SECONDS = 10
TRY_AGAIN_LATER = 1013


async def everyone(socket: WebSocket) -> None:
    """Tell of all users."""
    await tell(socket, None)


async def one_user(socket: WebSocket) -> None:
    """Tell of one user."""
    await tell(socket, socket.path_params["user_id"])


async def tell(socket: WebSocket, user_id: str | None) -> None:
    """Send the state and then what changes, until the client leaves or is too slow."""
    state = state_of(socket)
    if len(state.hub.subscribers) >= state.settings.max_live_clients:
        await socket.close(TRY_AGAIN_LATER, "too many listeners")
        return
    await socket.accept()
    sending = asyncio.create_task(send_messages(socket, user_id))
    leaving = asyncio.create_task(wait_until_gone(socket))
    try:
        await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        sending.cancel()
        leaving.cancel()
        await asyncio.gather(sending, leaving, return_exceptions=True)


async def send_messages(socket: WebSocket, user_id: str | None) -> None:
    """Send a subscription's messages; say so and close when the client cannot keep up."""
    reason = "too slow"
    with suppress(WebSocketDisconnect, RuntimeError, TimeoutError):
        try:
            async with state_of(socket).hub.subscription(user_id) as messages:
                async for message in messages:
                    async with asyncio.timeout(SEND_SECONDS):
                        await socket.send_text(to_json(message).decode())
        except Problem as problem:
            reason = problem.detail
        async with asyncio.timeout(1):
            await socket.close(TRY_AGAIN_LATER, reason)


async def wait_until_gone(socket: WebSocket) -> None:
    """Ignore whatever the client says until it leaves."""
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass


def live_routes() -> list[WebSocketRoute]:
    """List the WebSocket routes."""
    return [WebSocketRoute("/ws", everyone), WebSocketRoute("/ws/{user_id:name}", one_user)]
