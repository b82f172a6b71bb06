"""Feeds: each tenant's clients hear of its users only, and no tenant waits for another."""

from __future__ import annotations

import asyncio
import time
from typing import Any, cast

import pytest

from service.database.pool import Pool
from service.live import broadcaster as broadcasts
from service.live import feeds as feeds_module
from service.live.broadcaster import Broadcaster
from service.live.client import Client, ClientState
from service.live.delivery import Delivery
from service.live.feeds import Feeds
from service.live.notifications import Change
from service.live.presence import Presence
from service.model.reading import Row
from service.settings import Settings
from tests.support.live_clients import Ear


def listening(feeds: Feeds, tenant_id: str, *user_ids: str) -> Ear:
    """A client that has a snapshot, of users, of whom nothing was measured, or of everyone."""
    ear = Ear()
    feeds.add(Client(ear, tenant_id, user_ids or None, ClientState.CURRENT))
    latest_cache = feeds.by_tenant[tenant_id].latest_cache
    latest_cache.begin_load(user_ids)
    latest_cache.finish_load({}, time.monotonic())
    return ear


def broadcaster_of(feeds: Feeds) -> Broadcaster:
    return Broadcaster(cast(Pool, None), Presence("here"), feeds, Delivery(Settings(""), feeds, feeds.wake), feeds.wake)


def row(at: int, user_id: str = "ada") -> Row:
    return Row(user_id, "watch", at, 60.0)


def updates_of(ear: Ear) -> list[tuple[str, int]]:
    """The user and the number of readings of each update of a client."""
    return [(message["user_id"], message["count"]) for message in ear.heard("readings")]


def test_users_of_one_name_are_kept_apart_by_tenant() -> None:
    async def broadcast() -> None:
        feeds = Feeds(asyncio.Event())
        one, everyone, two = (listening(feeds, *whom) for whom in (("one", "ada"), ("one",), ("two", "ada")))
        batch = [feeds.match("one", [row(1), row(2)]), feeds.match("two", [row(3)]), feeds.match("three", [row(4)])]
        assert [matched.tenant_id for matched in batch] == ["one", "two", "three"]
        feeds.add_batch(batch)
        await broadcaster_of(feeds).send_updates()
        assert updates_of(one) == updates_of(everyone) == [("ada", 2)]
        assert updates_of(two) == [("ada", 1)]
        assert two.heard("readings")[0]["latest"]["heart_rate"]["timestamp"] == "2000-01-01T00:00:00.000003Z"

    asyncio.run(broadcast())


def test_rows_matched_before_the_first_client_of_a_tenant_are_matched_again() -> None:
    async def come() -> None:
        feeds = Feeds(asyncio.Event())
        matched = feeds.match("one", [row(1)])
        first = listening(feeds, "one", "ada")
        feeds.add_batch([matched])
        of_first = feeds.match("one", [row(2), row(2, "bob")])
        feeds.remove(next(iter(feeds.clients)))
        assert not feeds.by_tenant
        second = listening(feeds, "one", "bob")
        feeds.add_batch([of_first])
        await broadcaster_of(feeds).send_updates()
        assert not updates_of(first)
        assert updates_of(second) == [("bob", 1)]

    asyncio.run(come())


def test_many_changes_of_a_tenant_leave_room_for_another(monkeypatch: pytest.MonkeyPatch) -> None:
    async def broadcast() -> None:
        monkeypatch.setattr(broadcasts, "MAX_USERS", 10)
        feeds = Feeds(asyncio.Event())
        users = [f"user_{number}" for number in range(100)]
        busy, quiet = listening(feeds, "busy", *users), listening(feeds, "quiet", "ada")
        feeds.add_batch([feeds.match("busy", [row(1, user_id) for user_id in users]), feeds.match("quiet", [row(1)])])
        broadcaster = broadcaster_of(feeds)
        await broadcaster.send_updates()
        assert updates_of(quiet) == [("ada", 1)]
        assert len(updates_of(busy)) == 9
        await broadcaster.send_updates()
        assert len(updates_of(busy)) == 19
        assert broadcaster.has_more(feeds.by_tenant["busy"])
        assert not broadcaster.has_more(feeds.by_tenant["quiet"])

    asyncio.run(broadcast())


def test_latest_values_of_a_tenant_evict_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds_module, "MAX_LATEST", 10)
    feeds = Feeds(asyncio.Event())
    listening(feeds, "large", *(f"user_{number}" for number in range(100)))
    listening(feeds, "small", "ada", "bob")
    feeds.evict_latest()
    kept = {tenant_id: list(feed.latest_cache.entries) for tenant_id, feed in feeds.by_tenant.items()}
    assert kept == {"large": [f"user_{number}" for number in range(92, 100)], "small": ["ada", "bob"]}


def test_changes_by_key_go_to_the_feed_of_their_tenant(monkeypatch: pytest.MonkeyPatch) -> None:
    async def name() -> None:
        feeds = Feeds(asyncio.Event())
        listening(feeds, "one", "ada")
        listening(feeds, "two")
        unnamed = broadcaster_of(feeds).unnamed
        unnamed.by_key = {1: Change(1, 0, 0), 2: Change(2, 0, 0), 3: Change(3, 0, 0), 4: Change(4, 0, 0)}

        async def fetch(*_: object, **asked: Any) -> list[dict[str, object]]:
            assert (asked["whole_tenants"], asked["counted_tenants"]) == (["two"], [])
            assert (asked["named_tenants"], asked["named_users"]) == (["one"], ["ada"])
            found = ((1, "one", "ada"), (2, "two", "ada"), (3, "two", "bob"), (4, "three", "ada"))
            names = ("user_key", "tenant_id", "user_id", "changes")
            return [dict(zip(names, (*each, each[0]), strict=True)) for each in found]

        monkeypatch.setattr("service.live.unnamed_changes.fetch_all", fetch)
        await unnamed.name_users(cast(Pool, None), feeds)
        changes = {tenant_id: feed.changes.by_user for tenant_id, feed in feeds.by_tenant.items()}
        assert changes == {"one": {"ada": Change(1, 0, 0)}, "two": {"ada": Change(2, 0, 0), "bob": Change(3, 0, 0)}}

    asyncio.run(name())


def test_feeds_take_turns() -> None:
    feeds = Feeds(asyncio.Event())
    assert feeds.in_turn() == []
    for tenant_id in ("one", "two", "three"):
        listening(feeds, tenant_id)
    firsts = [feeds.in_turn()[0].tenant_id for _ in range(6)]
    assert sorted(firsts[:3]) == sorted(firsts[3:]) == ["one", "three", "two"]
