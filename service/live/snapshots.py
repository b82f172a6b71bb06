"""Snapshots: the latest values of everyone, or of the users that a client names, as one message."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice

from service.database.pool import Pool, fetch_all
from service.event_loop import checkpoint
from service.live import messages
from service.live.client import Client
from service.live.messages import Message
from service.model.latest import NOTHING, Latest, latest_by_user

MAX_USERS = 1_000  # in a snapshot of everyone, and in one query for clients that name users


async def snapshot_of_everyone(pool: Pool, tenant_id: str, skipped: int | None = None) -> Message:
    """Return a snapshot of a tenant's users, or of the first ones, in place of updates of so many skipped readings."""
    rows = await fetch_all(pool, "latest_of_everyone", tenant_id=tenant_id, limit=MAX_USERS + 1)
    await checkpoint()
    latest = latest_by_user(row for row in rows if row["metric"] is not None)
    await checkpoint()
    entries = (messages.snapshot_entry(user_id, of_user.document()) for user_id, of_user in latest.items())
    return messages.snapshot(islice(entries, MAX_USERS), complete=rows[0]["people"] <= MAX_USERS, count=skipped)


def for_one_query(clients: list[Client]) -> list[Client]:
    """Return the first of clients that name users, as many as one query may be for."""
    users = 0
    for number, client in enumerate(clients):
        users += len(client.user_ids or ())
        if users > MAX_USERS and number:
            return clients[:number]
    return clients


class NamedSnapshots:
    """Snapshots of a tenant's users: each is encoded once, and so is the message to clients that name the same."""

    def __init__(self, user_ids: Iterable[str], latest: Mapping[str, Latest]) -> None:
        self.entries = {
            user_id: messages.snapshot_entry(user_id, latest.get(user_id, NOTHING).document()) for user_id in user_ids
        }
        self.messages: dict[tuple[tuple[str, ...], bool], Message] = {}

    def message_for(self, client: Client) -> Message:
        """Return the snapshot of the users that a client names."""
        key = (client.user_ids or (), client.connection.is_earlier)
        if key not in self.messages:
            self.messages[key] = self.encode(*key)
        return self.messages[key]

    def encode(self, user_ids: tuple[str, ...], is_earlier: bool) -> Message:
        """Return a snapshot of users; an earlier client names one."""
        entries = [self.entries[user_id] for user_id in user_ids]
        return messages.earlier_snapshot(entries[0]) if is_earlier else messages.snapshot(entries, complete=True)
