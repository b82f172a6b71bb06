"""States: the latest values of everyone, or of those that a client names, as one message."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from itertools import islice

from service.database.pool import Pool, fetch_all
from service.live import messages
from service.live.client import Client
from service.live.messages import Message
from service.model.latest import NOTHING, Latest, latest_by_user
from service.model.reading import DEFAULT_TENANT

MOST_IN_STATE = 1_000  # users


async def state_of_everyone(pool: Pool, skipped: int | None = None) -> Message:
    """Return the state of everyone, or of some where they are too many, in place of news of so many readings."""
    rows = await fetch_all(pool, "latest_of_everyone", tenant_id=DEFAULT_TENANT, limit=MOST_IN_STATE + 1)
    await asyncio.sleep(0)  # others have their turn between parts
    latest = latest_by_user(row for row in rows if row["metric"] is not None)
    await asyncio.sleep(0)
    users = (messages.snapshot_entry(user_id, of_user.document()) for user_id, of_user in latest.items())
    return messages.snapshot(islice(users, MOST_IN_STATE), complete=rows[0]["people"] <= MOST_IN_STATE, count=skipped)


def some_of(named: list[Client]) -> list[Client]:
    """Return as many clients as one question may be for."""
    users = 0
    for taken, client in enumerate(named):
        users += len(client.user_ids or ())
        if users > MOST_IN_STATE and taken:
            return named[:taken]
    return named


class StatesOfSome:
    """The states of users, each encoded once, and the messages to clients, the same for all who listen to the same."""

    def __init__(self, user_ids: Iterable[str], latest: Mapping[str, Latest]) -> None:
        self.users = {
            user_id: messages.snapshot_entry(user_id, latest.get(user_id, NOTHING).document()) for user_id in user_ids
        }
        self.made: dict[tuple[tuple[str, ...], bool], Message] = {}

    def of(self, client: Client) -> Message:
        """Return the state of the users that a client listens to."""
        asked = (client.user_ids or (), client.connection.is_earlier)
        if asked not in self.made:
            of_it = [self.users[user_id] for user_id in asked[0]]
            self.made[asked] = (
                messages.earlier_snapshot(of_it[0])
                if client.connection.is_earlier
                else messages.snapshot(of_it, complete=True)
            )
        return self.made[asked]
