"""Messages to live clients, each encoded once for all of them: as a WebSocket frame, and as an event of a stream.

A snapshot is a message of type `state`, an update one of type `readings`.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

import msgspec

from service.live.notifications import Change
from service.model.pg_time import format_micros

MAX_SNAPSHOT = 512 * 1024  # bytes
TEXT = 0x81  # the first byte of a text message that is one frame

to_json = msgspec.json.Encoder().encode


class EventIds:
    """Ids of events, ascending: moments in µs since 1970, since numbers would say how much other clients are sent."""

    def __init__(self) -> None:
        self.last = 0

    def next(self) -> int:
        """Return the id of another event."""
        self.last = max(self.last + 1, time.time_ns() // 1000)
        return self.last


event_ids = EventIds()


class Message:
    """One message, or several to be sent together."""

    def __init__(self, *texts: bytes) -> None:
        self.texts = texts

    @cached_property
    def frames(self) -> bytes:
        """The message as WebSocket frames."""
        return b"".join([frame(text) for text in self.texts])

    @cached_property
    def events(self) -> list[bytes]:
        """The message as events."""
        return [b"id: %d\ndata: %b\n\n" % (event_ids.next(), text) for text in self.texts]

    @cached_property
    def chunks(self) -> bytes:
        """The message as events, in chunks of HTTP/1.1."""
        return b"".join(map(chunk, self.events))


def frame(text: bytes) -> bytes:
    """Return a text message of a server as a WebSocket frame."""
    size = len(text)
    if size < 126:
        return bytes((TEXT, size)) + text
    if size < 1 << 16:
        return bytes((TEXT, 126)) + size.to_bytes(2) + text
    return bytes((TEXT, 127)) + size.to_bytes(8) + text


def chunk(content: bytes) -> bytes:
    """Return a chunk of a body of HTTP/1.1."""
    return b"%x\r\n%b\r\n" % (len(content), content)


def combine(messages: Sequence[Message]) -> Message:
    """Return messages as one, to be sent together."""
    return messages[0] if len(messages) == 1 else Message(*[text for message in messages for text in message.texts])


def encode(**document: Any) -> Message:
    """Return a document as a message."""
    return Message(to_json(document))


def snapshot_entry(user_id: str, latest: dict[str, Any] | None) -> bytes:
    """Return one user of a snapshot as JSON."""
    return to_json({"user_id": user_id, "latest": latest})


def snapshot(entries: Iterable[bytes], complete: bool, count: int | None = None) -> Message:
    """Return a snapshot, in place of updates of `count` readings; entries that would make it too large are left out."""
    taken, size = [], 0
    for entry in entries:
        size += len(entry) + 1
        if size > MAX_SNAPSHOT:
            complete = False
            break
        taken.append(entry)
    ending = b"true" if complete else b"false"
    if count is not None:
        ending += b',"count":%d' % count
    return Message(b'{"type":"state","users":[%b],"complete":%b}' % (b",".join(taken), ending))


def earlier_snapshot(entry: bytes) -> Message:
    """Return the snapshot of one user as earlier clients expect it."""
    return Message(b'{"type":"state",' + entry[1:])


def update(user_id: str, change: Change, latest: dict[str, Any] | None) -> Message:
    """Return the update for a change of a user's readings."""
    document = {
        "type": "readings",
        "user_id": user_id,
        "latest": latest,
        "count": change.count,
        "from": format_micros(change.first),
        "to": format_micros(change.last),
    }
    return Message(to_json(document))
