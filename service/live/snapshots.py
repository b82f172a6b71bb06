"""Snapshots: the latest values of everyone, or of the users that a client names, as one message."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice

from service.answers.latest_values import Measurements
from service.answers.metrics_asked import MetricsAsked
from service.database.pool import Pool, fetch_all
from service.event_loop import checkpoint
from service.live import messages
from service.live.client import Client
from service.live.measurements import all_asked, measurements_of_everyone
from service.live.messages import Message
from service.model.latest import latest_by_user

MAX_USERS = 1_000  # in a snapshot of everyone, and in one query for clients that name users


async def snapshot_of_everyone(pool: Pool, tenant_id: str, skipped: int | None = None) -> Message:
    """Return a snapshot of a tenant's users, or of the first ones, in place of updates of so many skipped readings."""
    rows = await fetch_all(pool, "latest_of_everyone", tenant_id=tenant_id, limit=MAX_USERS + 1)
    await checkpoint()
    latest = latest_by_user(row for row in rows if row["metric"] is not None)
    await checkpoint()
    entries = (messages.snapshot_entry(user_id, of_user.document()) for user_id, of_user in latest.items())
    return messages.snapshot(islice(entries, MAX_USERS), complete=rows[0]["people"] <= MAX_USERS, count=skipped)


async def snapshots_with_metrics(
    pool: Pool, tenant_id: str, clients: Sequence[Client], skipped: int | None = None
) -> dict[MetricsAsked | None, Message]:
    """Return the same with the metrics that clients ask for, by one query for all of them."""
    asked = dict.fromkeys(client.metrics for client in clients if client.metrics is not None)
    measured, complete = await measurements_of_everyone(pool, tenant_id, all_asked(asked), MAX_USERS)
    found: dict[MetricsAsked | None, Message] = {}
    for each in asked:
        await checkpoint()
        documents = ((user_id, of_user.document(each)) for user_id, of_user in measured.items())
        entries = (messages.snapshot_entry(user_id, document) for user_id, document in documents if document)
        found[each] = messages.snapshot(entries, complete, skipped)
    return found


def for_one_query(clients: list[Client]) -> list[Client]:
    """Return the first of clients that name users, as many as one query may be for."""
    users = 0
    for number, client in enumerate(clients):
        users += len(client.user_ids or ())
        if users > MAX_USERS and number:
            return clients[:number]
    return clients


class NamedSnapshots:
    """Snapshots of a tenant's users: each is encoded once, and so is the message to clients that ask for the same."""

    def __init__(self, measured: Mapping[str, Measurements]) -> None:
        """Take the latest values of the users that were read; of others there is no snapshot yet."""
        self.measured = measured
        self.entries: dict[tuple[str, MetricsAsked | None], bytes] = {}
        self.messages: dict[tuple[tuple[str, ...], MetricsAsked | None, bool], Message] = {}

    def has_all(self, client: Client) -> bool:
        """Return whether all users were read that a client names."""
        return all(user_id in self.measured for user_id in client.user_ids or ())

    def message_for(self, client: Client) -> Message:
        """Return the snapshot of the users that a client names, with the metrics that it asks for."""
        key = (client.user_ids or (), client.metrics, client.connection.is_earlier)
        if key not in self.messages:
            self.messages[key] = self.encode(*key)
        return self.messages[key]

    def encode(self, user_ids: tuple[str, ...], asked: MetricsAsked | None, is_earlier: bool) -> Message:
        """Return a snapshot of users; an earlier client names one."""
        entries = [self.entry(user_id, asked) for user_id in user_ids if user_id in self.measured]
        if is_earlier:
            return messages.earlier_snapshot(entries[0])
        return messages.snapshot(entries, complete=len(entries) == len(user_ids))

    def entry(self, user_id: str, asked: MetricsAsked | None) -> bytes:
        """Return one user of a snapshot."""
        key = (user_id, asked)
        if key not in self.entries:
            self.entries[key] = messages.snapshot_entry(user_id, self.measured[user_id].document(asked))
        return self.entries[key]
