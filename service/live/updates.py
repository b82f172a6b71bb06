"""Updates: what clients are sent of a user whose readings changed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from service.live import messages
from service.live.messages import Message
from service.live.notifications import Change
from service.model.latest import Latest


@dataclass(slots=True)
class Update:
    """A change of a user's readings, the latest values after it, and the message about it once it is encoded."""

    user_id: str
    change: Change
    latest: Latest
    encoded: Message | None = None

    def encode(self) -> Message:
        """Return the message, encoded once for all clients."""
        if self.encoded is None:
            self.encoded = messages.update(self.user_id, self.change, self.latest.document())
        return self.encoded


def merge_updates(updates: Iterable[Update]) -> list[Update]:
    """Return one update for each user; those given, for which several clients may wait, stay as they are."""
    of_user: dict[str, Update] = {}
    for update in updates:
        change = Change(update.change.count, update.change.first, update.change.last)
        if earlier := of_user.get(update.user_id):
            change.merge(earlier.change)
        of_user[update.user_id] = Update(update.user_id, change, update.latest)
    return list(of_user.values())


def combine_updates(updates: Iterable[Update]) -> Message:
    """Return updates as one message, to be sent together."""
    return messages.combine([update.encode() for update in updates])
