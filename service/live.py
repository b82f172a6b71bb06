"""The live hub: one LISTEN connection per process tells subscribers, after each commit, whose readings changed.

Everything is bounded: what waits for a subscriber is one message per user, merged; where too many wait, and after the
connection was away, the state is sent again instead. Whoever takes nothing for too long is dropped (routes/live.py).
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import psycopg

from service.database import Pool, fetch_all
from service.problems import Problem
from service.readings import DEFAULT_TENANT
from service.times import format_timestamp

CHANNEL = "readings"
MOST_WAITING = 1_000  # messages for one subscriber
MOST_IN_STATE = 1_000  # users
RECONNECT_SECONDS = 1.0

log = logging.getLogger("hyperpulse")


@dataclass(slots=True)
class Change:
    """Readings of a user that a commit, or several, touched: how many, and from when to when."""

    count: int
    earliest: datetime
    latest: datetime

    def add(self, other: Change) -> None:
        """Take another change of the same user in."""
        self.count += other.count
        self.earliest = min(self.earliest, other.earliest)
        self.latest = max(self.latest, other.latest)


@dataclass(slots=True, eq=False)
class Subscriber:
    """Someone who listens: to one user, or to everyone where user_id is None."""

    user_id: str | None
    waiting: dict[str, tuple[Change, dict[str, Any]]] = field(default_factory=dict)
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    stale: bool = True

    def tell(self, user_id: str, change: Change, latest: dict[str, Any]) -> None:
        """Let a change wait until it is taken; where too much waits, the whole state does instead."""
        if user_id in self.waiting:
            self.waiting[user_id][0].add(change)
            self.waiting[user_id] = (self.waiting[user_id][0], latest)
        else:
            self.waiting[user_id] = (Change(change.count, change.earliest, change.latest), latest)
        if len(self.waiting) > MOST_WAITING:
            self.refresh()
        self.wake.set()

    def refresh(self) -> None:
        """Ask for the state to be sent again."""
        self.stale = True
        self.waiting.clear()
        self.wake.set()


class Hub:
    """Knows the subscribers, and hands them what the database announces."""

    def __init__(self, database_url: str, pool: Pool) -> None:
        self.database_url = database_url
        self.pool = pool
        self.subscribers: set[Subscriber] = set()
        self.touched: dict[int, Change] = {}
        self.wake = asyncio.Event()

    async def listen(self) -> None:
        """Collect notifications, for as long as the process runs; reconnect when the connection is lost."""
        while True:
            try:
                connection = await psycopg.AsyncConnection.connect(
                    self.database_url, autocommit=True, connect_timeout=5, keepalives_idle=10
                )
                async with connection:
                    await connection.execute("LISTEN readings")
                    for subscriber in self.subscribers:
                        subscriber.refresh()
                    async for notification in connection.notifies():
                        self.collect(notification.payload)
            except psycopg.Error as error:
                log.warning("live updates wait for the database: %s", str(error).strip().split("\n")[0])
            await asyncio.sleep(RECONNECT_SECONDS)

    def collect(self, payload: str) -> None:
        """Take a notification in: [[user_key, count, from, to], …]."""
        for user_key, count, earliest, latest in json.loads(payload):
            change = Change(count, datetime.fromisoformat(earliest), datetime.fromisoformat(latest))
            if user_key in self.touched:
                self.touched[user_key].add(change)
            else:
                self.touched[user_key] = change
        self.wake.set()

    async def deliver(self) -> None:
        """Hand what was collected to the subscribers, again and again."""
        while True:
            await self.wake.wait()
            self.wake.clear()
            touched, self.touched = self.touched, {}
            if touched and self.subscribers:
                try:
                    await self.hand_out(touched)
                except Problem:
                    for subscriber in self.subscribers:
                        subscriber.refresh()

    async def hand_out(self, touched: dict[int, Change]) -> None:
        """Read the latest values of the users touched, and tell whoever listens to them."""
        rows = await fetch_all(self.pool, "latest_of_touched", user_keys=list(touched), tenant_id=DEFAULT_TENANT)
        key_of = {row["user_id"]: row["user_key"] for row in rows}
        for user_id, latest in by_user(rows).items():
            for subscriber in self.subscribers:
                if subscriber.user_id in (None, user_id):
                    subscriber.tell(user_id, touched[key_of[user_id]], latest)

    @asynccontextmanager
    async def subscription(self, user_id: str | None) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
        """Subscribe; yields the messages: first the state, then what changes."""
        subscriber = Subscriber(user_id)
        self.subscribers.add(subscriber)
        try:
            yield self.messages(subscriber)
        finally:
            self.subscribers.discard(subscriber)

    async def messages(self, subscriber: Subscriber) -> AsyncIterator[dict[str, Any]]:
        """Yield a subscriber's messages, without end."""
        while True:
            if subscriber.stale:
                subscriber.stale = False
                yield await self.state(subscriber.user_id)
            elif subscriber.waiting:
                user_id = next(iter(subscriber.waiting))
                yield readings_message(user_id, *subscriber.waiting.pop(user_id))
            else:
                subscriber.wake.clear()
                await subscriber.wake.wait()

    async def state(self, user_id: str | None) -> dict[str, Any]:
        """Return the state message of one user, or of everyone."""
        if user_id is not None:
            rows = await fetch_all(self.pool, "latest", tenant_id=DEFAULT_TENANT, user_id=user_id)
            latest = by_user([{**row, "user_id": user_id} for row in rows]).get(user_id)
            return {"type": "state", "user_id": user_id, "latest": latest}
        rows = await fetch_all(self.pool, "latest_of_everyone", tenant_id=DEFAULT_TENANT, limit=MOST_IN_STATE)
        users = [{"user_id": user_id, "latest": latest} for user_id, latest in by_user(rows).items()]
        return {"type": "state", "users": users}


def by_user(rows: Iterable[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Gather rows of api.latest by user: each metric's latest value, and when the user was last seen."""
    gathered: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        gathered[row["user_id"]].append(row)
    return {user_id: latest_document(of_user) for user_id, of_user in gathered.items()}


def latest_document(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Write the rows of one user."""
    document: dict[str, Any] = {"last_seen": format_timestamp(max(row["ts"] for row in rows))}
    document |= {"heart_rate": None, "steps": None, "calories": None}
    for row in rows:
        document[row["metric"]] = {
            "value": int(row["value"]) if row["metric"] == "steps" else row["value"],
            "timestamp": format_timestamp(row["ts"]),
            "device_id": row["device_id"],
        }
    return document


def readings_message(user_id: str, change: Change, latest: dict[str, Any]) -> dict[str, Any]:
    """Say that readings of a user changed."""
    return {
        "type": "readings",
        "user_id": user_id,
        "latest": latest,
        "count": change.count,
        "from": format_timestamp(change.earliest),
        "to": format_timestamp(change.latest),
    }


@asynccontextmanager
async def running_hub(database_url: str, pool: Pool) -> AsyncIterator[Hub]:
    """Run a hub until the block ends."""
    hub = Hub(database_url, pool)
    tasks = [asyncio.create_task(hub.listen()), asyncio.create_task(hub.deliver())]
    try:
        yield hub
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
