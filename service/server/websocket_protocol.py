"""uvicorn's WebSocket protocol for clients that only receive: it bounds the work that a client can cause."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets import http11

from service.http.departure import PROTOCOL
from service.live.connections import CLOSE_SECONDS, GOING_AWAY, STOPPING, Close
from service.server.connection_limit import Connections, counted_address
from service.server.request_heads import MOST_URL

MOST_HEARD = 1000  # messages and pings of a client between two of its answers to ours
MOST_UNSENT = 64 * 1024  # bytes
TOO_TALKATIVE = 1008

# The line that names a thousand users; how long the other lines may be, the HTTP protocol in front says.
http11.MAX_LINE_LENGTH = MOST_URL + len(b"GET  HTTP/1.1\r\n")  # bytes


class PushOnlyWebSocketProtocol(WebSocketsSansIOProtocol):
    """Drops what a client says, and never waits for one that does not take what is sent."""

    limit: Connections
    on_shutdown: Close | None = None
    on_lost: Callable[[], Any] | None = None
    heard = 0

    def data_received(self, data: bytes) -> None:
        """Answer a handshake that cannot be read, too."""
        super().data_received(data)
        if self.conn.handshake_exc is not None and not self.handshake_initiated:
            self.handshake_complete = self.close_sent = True
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Count the connection out, which came in as one of HTTP."""
        if self.on_lost is not None:
            self.on_lost()
        self.limit.leave(counted_address(self.client))
        super().connection_lost(exc)

    def handle_connect(self, event: Any) -> None:
        """Give routes the connection itself."""
        super().handle_connect(event)
        if not self.close_sent:
            self.scope["extensions"][PROTOCOL] = self  # type: ignore[assignment]

    def send_receive_event_to_app(self) -> None:
        """Drop a message."""
        self.frames = []
        self.hear()

    def handle_ping(self) -> None:
        """Answer, but not someone who takes no answers."""
        answer = b"".join(self.conn.data_to_send())
        if self.transport.get_write_buffer_size() < MOST_UNSENT:
            self.transport.write(answer)
        self.hear()

    def handle_pong(self, event: Any) -> None:
        """Let the client speak again."""
        super().handle_pong(event)
        self.heard = 0

    def hear(self) -> None:
        """Count what was said, and end the connection when it is too much."""
        self.heard += 1
        if self.heard > MOST_HEARD and not self.close_sent:
            self.close_with(TOO_TALKATIVE, "Nothing is expected from a client; this is too much.")

    def keepalive_timeout(self) -> None:
        """Drop a client that does not answer; what was sent to it need not arrive."""
        super().keepalive_timeout()
        self.loop.call_later(CLOSE_SECONDS, self.transport.abort)

    def close_with(self, code: int, reason: str) -> None:
        """Send a close frame even if the client takes nothing, and end the connection soon, answered or not."""
        self.stop_keepalive()
        if self.close_sent or self.disconnected or self.transport.is_closing():
            return
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.conn.send_close(code, reason)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.close_timer = self.loop.call_later(CLOSE_SECONDS, self.transport.abort)

    def shutdown(self) -> None:
        """Say that the service stops."""
        if self.on_shutdown is None:
            super().shutdown()
        else:
            self.on_shutdown(GOING_AWAY, STOPPING)


def websocket_protocol(connections: Connections) -> type[PushOnlyWebSocketProtocol]:
    """Return the protocol with the limit of connections."""

    class Configured(PushOnlyWebSocketProtocol):
        limit = connections

    return Configured
