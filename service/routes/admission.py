"""Admission of writes: what the writer has no room for is refused before its body is read."""

from __future__ import annotations

from starlette.requests import Request
from starlette.types import Scope

from service.ingest.chunker import PART
from service.routes.request_body import WHOLE, announced_length
from service.state import State, state_of

READING_BYTES = 250  # of a reading as JSON; hardly any has more


def refuse_unread(request: Request, whole: int = WHOLE) -> None:
    """Raise Overloaded where a body of readings would be refused once it is read, by a low guess of how many it has.

    What is too much then takes neither memory nor time. Of more than `whole` bytes, a first part must find room.
    """
    if stays_open(request.scope):
        length = announced_length(request)
        require_room(state_of(request), length if length <= whole else PART)


def require_room(state: State, length: int) -> None:
    """Overloaded where there is no room for the readings that so many bytes hold at least."""
    state.writer.require_room(1 + length // READING_BYTES)


def stays_open(scope: Scope) -> bool:
    """Return whether a connection stays open after the answer: closing it with bytes unread may lose the answer."""
    closing = any(name == b"connection" and b"close" in value.lower() for name, value in scope["headers"])
    return bool(scope["http_version"] == "1.1") and not closing
