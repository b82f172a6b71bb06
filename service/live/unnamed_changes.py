"""Changes that are known by the keys of users only, as other processes announce them: the database names the users."""

from __future__ import annotations

from typing import Any

from service.database.pool import Pool, fetch_all
from service.live.feeds import Feed, Feeds
from service.live.notifications import Change, unpack_changes

MAX_NAMES = 10_000  # users; to pass more names to the query would take longer than to name all users that changed


class UnnamedChanges:
    """Changes by key, of users of any tenant."""

    def __init__(self) -> None:
        self.by_key: dict[int, Change] = {}

    def add_packed(self, packed: str) -> None:
        """Add the changes of a notification, which may be Unreadable."""
        unpack_changes(packed, self.by_key)

    def clear(self) -> None:
        """Drop all changes."""
        self.by_key.clear()

    async def name_users(self, pool: Pool, feeds: Feeds) -> None:
        """Add the changes to those of their tenants' feeds, as far as the users have subscribers."""
        by_key, self.by_key = self.by_key, {}
        if not by_key:
            return
        delivering = {feed for feed in feeds.by_tenant.values() if feed.changes.includes_everyone}
        skipping = {feed for feed in feeds.by_tenant.values() if feed.subscriptions.to_everyone} - delivering
        for row in await query_names(pool, by_key, feeds, delivering, skipping):
            feed = feeds.by_tenant.get(row["tenant_id"])
            if feed is None:
                continue
            user_id, count = row["user_id"], row["changes"]
            if user_id in feed.subscriptions.to_user or (feed in delivering and feed.subscriptions.to_everyone):
                feed.changes.add_unread(user_id, by_key[row["user_key"]])
            elif feed in skipping:
                feed.changes.skip(count)


async def query_names(
    pool: Pool, by_key: dict[int, Change], feeds: Feeds, delivering: set[Feed], skipping: set[Feed]
) -> list[dict[str, Any]]:
    """Query the users of changes: all of feeds that deliver everyone's, of others those whom clients name.

    Of feeds that skip changes, the others are counted.
    """
    whole = {feed for feed in feeds.by_tenant.values() if len(feed.subscriptions.to_user) > MAX_NAMES} | delivering
    named = [
        (feed.tenant_id, user_id)
        for feed in feeds.by_tenant.values()
        if feed not in whole
        for user_id in feed.subscriptions.to_user
    ]
    if not whole and not named and not skipping:
        return []
    return await fetch_all(
        pool,
        "names_of_touched",
        user_keys=list(by_key),
        counts=[change.count for change in by_key.values()],
        whole_tenants=[feed.tenant_id for feed in whole],
        named_tenants=[tenant_id for tenant_id, _ in named],
        named_users=[user_id for _, user_id in named],
        counted_tenants=[feed.tenant_id for feed in skipping],
    )
