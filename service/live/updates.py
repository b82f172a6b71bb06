"""Updates: what clients are sent of a user whose readings changed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from service.answers.latest_values import Measurements
from service.answers.metrics_asked import MetricsAsked
from service.live import messages
from service.live.messages import Message
from service.live.notifications import Change

METRICS_OF_AN_UPDATE = 20  # that take as much room as another update


@dataclass(slots=True)
class Update:
    """A change of a user's readings, the latest values after it, and the messages about it once they are encoded."""

    user_id: str
    change: Change
    measured: Measurements
    encoded: dict[MetricsAsked | None, Message] = field(default_factory=dict)

    @property
    def weight(self) -> int:
        """How much room it takes, in updates of the three metrics."""
        return 1 + len(self.measured.others) // METRICS_OF_AN_UPDATE

    def encode(self, asked: MetricsAsked | None = None) -> Message:
        """Return the message with the metrics asked for, encoded once for all clients that ask for the same."""
        message = self.encoded.get(asked)
        if message is None:
            message = messages.update(self.user_id, self.change, self.measured.document(asked))
            self.encoded[asked] = message
        return message


def merge_updates(updates: Iterable[Update]) -> list[Update]:
    """Return one update for each user; those given, for which several clients may wait, stay as they are."""
    of_user: dict[str, Update] = {}
    for update in updates:
        change = Change(update.change.count, update.change.first, update.change.last)
        if earlier := of_user.get(update.user_id):
            change.merge(earlier.change)
        of_user[update.user_id] = Update(update.user_id, change, update.measured)
    return list(of_user.values())


def combine_updates(updates: Iterable[Update], asked: MetricsAsked | None = None) -> Message:
    """Return updates, with the metrics asked for, as one message, to be sent together."""
    return messages.combine([update.encode(asked) for update in updates])
