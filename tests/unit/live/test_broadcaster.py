"""Broadcasts: the changes that they deliver, and how far apart they are."""

from __future__ import annotations

import asyncio
import time
from typing import cast

import pytest

from service.database.pool import Pool
from service.http.tenancy import DEFAULT_TENANT
from service.ingest import write_load
from service.ingest.write_load import WINDOW, WriteLoad
from service.live import pacing
from service.live.broadcaster import MAX_USERS, Broadcaster
from service.live.client import Client
from service.live.coalescing import MAX_OUT_OF_ORDER
from service.live.delivery import Delivery
from service.live.feeds import Feed, Feeds
from service.live.load_shedding import CALM_SECONDS, Mode
from service.live.notifications import Change
from service.live.pacing import HIGH_LOAD, MAX_PAUSE, MAX_PAUSE_UNDER_LOAD, MIN_PAUSE, Pacer, pause
from service.live.presence import Presence
from service.model.latest import Latest, Value
from service.model.reading import Row
from service.settings import Settings
from tests.support.live_clients import Ear

TIMES = 7


def broadcaster_for(*user_ids: str) -> Broadcaster:
    """A broadcaster for a client that names users, of whom nothing was measured, or subscribes to everyone."""
    wake = asyncio.Event()
    feeds = Feeds(wake)
    feeds.add(Client(Ear(), DEFAULT_TENANT, user_ids or None))
    latest_cache = feeds.by_tenant[DEFAULT_TENANT].latest_cache
    latest_cache.begin_load(user_ids)
    latest_cache.finish_load({}, time.monotonic())
    return Broadcaster(cast(Pool, None), Presence("here"), feeds, Delivery(Settings(""), feeds, wake), wake)


def feed_of(broadcaster: Broadcaster) -> Feed:
    """The feed of the one tenant that has clients."""
    return broadcaster.feeds.by_tenant[DEFAULT_TENANT]


def row(at: int, user_id: str = "ada") -> Row:
    return Row(user_id, "watch", at, 60.0)


def commit(broadcaster: Broadcaster, *rows: Row) -> None:
    """Let the commit of one request be announced."""
    broadcaster.feeds.add_batch([broadcaster.feeds.match(DEFAULT_TENANT, rows)])


def end_subscription(broadcaster: Broadcaster, *user_ids: str) -> None:
    """Remove the client that names users."""
    feeds = broadcaster.feeds
    feeds.remove(next(client for client in feeds.clients if client.user_ids == user_ids))


def test_many_readings_of_a_user_are_one_change_and_few_of_them_are_kept() -> None:
    async def write() -> None:
        broadcaster = broadcaster_for("ada")
        changes = feed_of(broadcaster).changes
        for number in range(95):
            # Later ones and earlier ones, in turns.
            at = number if number % 2 else -number
            commit(broadcaster, row(at), row(at, "bob"))
            assert "ada" not in changes.readings or len(changes.readings["ada"].out_of_order) < MAX_OUT_OF_ORDER
        assert "bob" not in changes.readings, "without subscribers"
        latest = Latest(heart_rate=Value(60.0, 93, "watch"))
        assert changes.take(MAX_USERS) == {"ada": (Change(95, -94, 93), latest)}
        assert not changes.has_named

    asyncio.run(write())


def test_of_too_many_users_some_wait_and_none_is_lost() -> None:
    async def write() -> None:
        broadcaster = broadcaster_for()
        users = [f"user_{n}" for n in range(2 * MAX_USERS + 1)]
        for times in range(1, TIMES + 1):
            commit(broadcaster, *[row(times, user_id) for user_id in users[:: 3 if times > 1 else 1]])
        delivered: list[str] = []
        for size in (MAX_USERS, MAX_USERS, 1, 0):
            taken = feed_of(broadcaster).changes.take(MAX_USERS)
            assert len(taken) == size
            delivered += taken
            for user_id, (change, _) in taken.items():
                assert change.count == (TIMES if users.index(user_id) % 3 == 0 else 1)
        assert sorted(delivered) == sorted(users)

    asyncio.run(write())


def test_rows_matched_with_earlier_subscriptions_are_matched_again() -> None:
    async def write() -> None:
        broadcaster = broadcaster_for("ada")
        changes, feeds = feed_of(broadcaster).changes, broadcaster.feeds
        earlier = feeds.match(DEFAULT_TENANT, [row(0), row(0, "bob"), row(0, "eve")])
        assert [each.user_id for each in earlier.matched] == ["ada"]
        feeds.add(Client(Ear(), DEFAULT_TENANT, ("bob",)))
        feeds.add_batch([earlier])
        assert list(changes.readings) == ["ada", "bob"]
        end_subscription(broadcaster, "ada")
        feeds.add_batch([earlier])
        assert changes.readings["ada"].count == 1
        assert changes.readings["bob"].count == 2

    asyncio.run(write())


def with_load(monkeypatch: pytest.MonkeyPatch) -> tuple[Broadcaster, list[bool]]:
    """A broadcaster for a client of everyone and one that names ada, and whether the write load is high."""
    broadcaster, load = broadcaster_for("ada"), [False]
    broadcaster.feeds.add(Client(Ear(), DEFAULT_TENANT, None))
    monkeypatch.setattr(broadcaster.feeds.write_load, "is_high", lambda: load[-1])
    return broadcaster, load


def test_under_high_load_only_readings_of_named_users_are_applied(monkeypatch: pytest.MonkeyPatch) -> None:
    async def write() -> None:
        broadcaster, load = with_load(monkeypatch)
        feed = feed_of(broadcaster)
        changes, shedding, latest_cache = feed.changes, feed.shedding, feed.latest_cache
        latest_cache.begin_load(["bob"])
        latest_cache.finish_load({}, time.monotonic())
        commit(broadcaster, row(1), row(1, "bob"), row(1, "eve"))
        assert len(changes.readings) == 3
        load.append(True)
        commit(broadcaster, row(2), row(2, "bob"), row(2, "eve"))
        assert shedding.mode is Mode.SKIPPING
        assert list(changes.readings) == ["ada"]
        assert changes.readings["ada"].count == 2
        assert shedding.skipped == 4, "those of before count, too"
        assert list(latest_cache.entries) == ["ada"], "what was skipped is not known"
        load.append(False)
        commit(broadcaster, row(3, "bob"))
        assert shedding.skipped == 5, "a moment of calm is no reason to query everyone"
        shedding.calm_at -= CALM_SECONDS
        commit(broadcaster, row(4, "bob"))
        assert shedding.mode is Mode.NORMAL
        assert changes.readings["bob"].count == 1
        assert shedding.skipped == 5, "until a snapshot replaces them"

    asyncio.run(write())


def test_skipping_ends_with_the_last_subscription_to_everyone(monkeypatch: pytest.MonkeyPatch) -> None:
    async def write() -> None:
        broadcaster, load = with_load(monkeypatch)
        load.append(True)
        commit(broadcaster, row(1, "bob"))
        feed = feed_of(broadcaster)
        assert feed.shedding.mode is Mode.SKIPPING
        broadcaster.feeds.remove(next(iter(feed.subscriptions.to_everyone)))
        commit(broadcaster, row(2, "bob"))
        assert feed.shedding.mode is Mode.NORMAL
        assert feed.shedding.skipped == 0

    asyncio.run(write())


def test_a_user_whom_no_client_names_any_longer_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    async def write() -> None:
        broadcaster, load = with_load(monkeypatch)
        load.append(True)
        commit(broadcaster, row(1))
        end_subscription(broadcaster, "ada")
        commit(broadcaster, row(2))
        feed = feed_of(broadcaster)
        assert feed.shedding.skipped == 1
        (taken,) = feed.changes.take(MAX_USERS).values()
        assert taken == (Change(1, 1, 1), None), "it must be loaded"

    asyncio.run(write())


def test_changes_of_other_processes_are_skipped_under_high_load(monkeypatch: pytest.MonkeyPatch) -> None:
    async def write() -> None:
        broadcaster, load = with_load(monkeypatch)
        feed, unnamed = feed_of(broadcaster), broadcaster.unnamed
        load.append(True)

        async def fetch(*_: object, **asked: list[object]) -> list[dict[str, object]]:
            assert (asked["named_tenants"], asked["named_users"]) == ([DEFAULT_TENANT], ["ada"])
            assert (asked["whole_tenants"], asked["counted_tenants"]) == ([], [DEFAULT_TENANT])
            assert (asked["user_keys"], asked["counts"]) == ([1, 2], [1, 5])
            load.append(False)
            feed.shedding.calm_at = 0.0
            commit(broadcaster, row(1, "eve"))
            return [
                {"tenant_id": DEFAULT_TENANT, "user_id": "ada", "user_key": 1, "changes": 1},
                {"tenant_id": DEFAULT_TENANT, "user_id": None, "user_key": None, "changes": 5},
            ]

        monkeypatch.setattr("service.live.unnamed_changes.fetch_all", fetch)
        feed.changes.update_mode()
        unnamed.by_key = {1: Change(1, 0, 0), 2: Change(5, 0, 0)}
        await unnamed.name_users(broadcaster.pool, broadcaster.feeds)
        assert feed.changes.by_user == {"ada": Change(1, 0, 0)}
        assert feed.shedding.skipped == 5, "also where the load is no longer high by then"

    asyncio.run(write())


def test_broadcasts_that_deliver_much_are_further_apart_and_more_so_under_load() -> None:
    assert pause(0, 0, 0) == MIN_PAUSE
    assert MIN_PAUSE < pause(0.2, 0, 0) < pause(0.2, 0.012, 0) < MAX_PAUSE
    assert pause(60, 60, 0) == MAX_PAUSE
    assert pause(0, 0, HIGH_LOAD) == MIN_PAUSE
    assert MAX_PAUSE < pause(0, 0.012, HIGH_LOAD) < MAX_PAUSE_UNDER_LOAD
    assert pause(60, 60, HIGH_LOAD) == MAX_PAUSE_UNDER_LOAD


def test_a_pause_lasts_as_long_as_the_load_is_high(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0

    async def pass_time(seconds: float) -> None:
        nonlocal now
        now += seconds

    monkeypatch.setattr(pacing.time, "monotonic", lambda: now)
    monkeypatch.setattr(pacing.asyncio, "sleep", pass_time)

    async def wait(load: WriteLoad) -> float:
        pacer = Pacer(load)
        pacer.cpu_seconds = 60.0
        await pacer.wait()
        return now - pacer.began

    async def both() -> None:
        load = WriteLoad()
        with load.writing(), load.writing():
            assert MAX_PAUSE_UNDER_LOAD <= await wait(load) < MAX_PAUSE_UNDER_LOAD + 2 * MIN_PAUSE
        assert MAX_PAUSE <= await wait(load) < MAX_PAUSE + 2 * MIN_PAUSE

    asyncio.run(both())


def test_writes_are_counted_by_their_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(write_load.time, "monotonic", lambda: now)
    load = WriteLoad()
    now += 5
    with load.writing():
        now += 1
        with load.writing():
            now += 2
            assert load.write_seconds() == 1 + 2 * 2
        now += 1
    now += 5
    assert load.write_seconds() == 1 + 2 * 2 + 1


def test_the_load_is_high_where_more_than_one_write_is_in_flight_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(write_load.time, "monotonic", lambda: now)
    load = WriteLoad()
    with load.writing():
        now += 9 * WINDOW
        assert not load.is_high(), "a slow one"
    now += WINDOW
    assert not load.is_high()
    with load.writing(), load.writing():
        now += WINDOW
        assert load.is_high()
    now += 0.5 * WINDOW
    assert load.is_high(), "until the window is over"
    now += WINDOW
    assert not load.is_high()
