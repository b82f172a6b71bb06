"""A client: what it subscribes to, and whether it gets updates or waits for a snapshot.

| state | event | next state |
| --- | --- | --- |
| NEW | a snapshot for it begins | CURRENT |
| CURRENT | it misses updates: they were skipped or lost, or too many wait for it | STALE |
| STALE | a snapshot for it begins | CURRENT |

Only a CURRENT client gets updates, or has any that wait for it. A snapshot begins before its query, so that a client
which misses updates during the query is STALE again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum, auto

from service.answers.metrics_asked import MetricsAsked
from service.live.connections import Connection
from service.live.updates import Update, merge_updates

MAX_WAITING = 1_000  # updates that wait for one client, by their weight


class ClientState(Enum):
    """What a client was sent."""

    NEW = auto()
    """No snapshot yet."""
    CURRENT = auto()
    """A snapshot, and every update since."""
    STALE = auto()
    """A snapshot, but not every update since."""


@dataclass(slots=True, eq=False)
class Client:
    """A client of a tenant, for the users named or for everyone, where user_ids is None. Its own methods change it.

    It is sent the metrics that it asks for besides the latest values of readings, unless these are None.
    """

    connection: Connection
    tenant_id: str
    user_ids: tuple[str, ...] | None
    state: ClientState = ClientState.NEW
    waiting: list[Sequence[Update]] = field(default_factory=list)
    waiting_count: int = 0
    metrics: MetricsAsked | None = None

    @property
    def needs_snapshot(self) -> bool:
        """Whether it is sent no updates before a snapshot."""
        return self.state is not ClientState.CURRENT

    def begin_snapshot(self) -> None:
        """Expect a snapshot: updates after it are sent again."""
        self.state = ClientState.CURRENT

    def miss_updates(self) -> None:
        """Drop the updates that wait; a snapshot replaces them."""
        if self.state is ClientState.CURRENT:
            self.state = ClientState.STALE
        self.waiting, self.waiting_count = [], 0

    def queue(self, updates: Sequence[Update]) -> None:
        """Let updates wait until they can be sent; a snapshot replaces them where too many wait."""
        self.waiting.append(updates)
        self.waiting_count += sum([update.weight for update in updates])
        if self.waiting_count > MAX_WAITING:
            weights = {update.user_id: update.weight for part in self.waiting for update in part}
            # Half of it, so that merging, which takes long, is not done again soon.
            if sum(weights.values()) > MAX_WAITING / 2:
                self.miss_updates()
            else:
                merged = self.take_waiting()
                self.waiting, self.waiting_count = [merged], sum(weights.values())

    def take_waiting(self) -> list[Update]:
        """Return the updates that wait, one for each user, and let none wait any longer."""
        merged = merge_updates(update for part in self.waiting for update in part)
        self.waiting, self.waiting_count = [], 0
        return merged
