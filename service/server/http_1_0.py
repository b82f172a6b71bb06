"""Answers to HTTP/1.0, which has no chunks: the end of a body of unknown length is that of the connection."""

from __future__ import annotations

from typing import Any

from service.server.request_cycle import BoundedCycle

OLD = "1.0"


class UnframedCycle(BoundedCycle):
    """A request and its answer, without the chunks that uvicorn frames every body of unknown length with."""

    is_unframed = False

    async def send(self, message: Any) -> None:
        """Send a message; the connection closes behind the answer, as it does for all of HTTP/1.0."""
        if message["type"] == "http.response.start":
            self.is_unframed = not any(name.lower() == b"content-length" for name, _ in message.get("headers", ()))
            if self.is_unframed:
                self.chunked_encoding = False
        elif message["type"] == "http.response.body" and self.is_unframed:
            self.expected_content_length = len(message.get("body", b""))
        await super().send(message)
