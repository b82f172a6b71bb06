"""Updates that wait for a client that takes too little."""

from __future__ import annotations

import asyncio
import time

import pytest

from service.answers.latest_values import Measurements
from service.event_loop import SLICE_SECONDS, TimeSlice
from service.http.tenancy import DEFAULT_TENANT
from service.live import client as client_module
from service.live import messages
from service.live.backlog import Backlog
from service.live.client import MAX_WAITING, Client, ClientState
from service.live.delivery import MAX_BACKLOG, MIN_BACKLOG, Delivery
from service.live.feeds import Feeds
from service.live.messages import Message
from service.live.notifications import Change
from service.live.updates import Update
from service.model.latest import Latest, Value
from service.settings import Settings
from tests.support.live_clients import Ear


def update(user_id: str, at: int) -> Update:
    return Update(user_id, Change(1, at, at), Measurements(Latest(heart_rate=Value(60.0, at, "watch"))))


def waiting_for(client: Client) -> list[tuple[str, int, int, int]]:
    """Take the updates that wait: user, count, first and last moment."""
    taken = client.take_waiting()
    assert all(item.measured.latest.heart_rate == Value(60.0, item.change.last, "watch") for item in taken)
    return [(item.user_id, item.change.count, item.change.first, item.change.last) for item in taken]


def test_updates_that_wait_are_merged_for_each_client_alone() -> None:
    early, late = (Client(Ear(), DEFAULT_TENANT, None, ClientState.CURRENT) for _ in range(2))
    both = [update("ada", 2), update("bob", 2)]
    early.queue([update("ada", 1)])
    for client in (early, late):
        client.queue(both)
    assert waiting_for(early) == [("ada", 2, 1, 2), ("bob", 1, 2, 2)]
    assert waiting_for(late) == [("ada", 1, 2, 2), ("bob", 1, 2, 2)]
    assert waiting_for(late) == []


def test_a_client_gets_updates_between_a_snapshot_and_the_first_update_that_it_misses() -> None:
    client = Client(Ear(), DEFAULT_TENANT, None)
    client.miss_updates()
    assert client.state is ClientState.NEW
    for _ in range(2):
        assert client.needs_snapshot
        client.begin_snapshot()
        assert client.state is ClientState.CURRENT
        assert not client.needs_snapshot
        client.queue([update("ada", 1)])
        client.miss_updates()
        assert client.state is ClientState.STALE
        assert not client.waiting


def test_any_number_of_changes_of_few_users_waits_and_a_snapshot_replaces_those_of_many() -> None:
    client = Client(Ear(), DEFAULT_TENANT, None, ClientState.CURRENT)
    for at in range(3 * MAX_WAITING):
        client.queue([update(f"user_{at % 400}", at)])
        assert client.waiting_count <= MAX_WAITING
    assert sum(count for _, count, _, _ in waiting_for(client)) == 3 * MAX_WAITING
    assert not client.needs_snapshot
    for at in range(MAX_WAITING + 1):
        client.queue([update(f"user_{at}", at)])
    assert client.needs_snapshot
    assert client.waiting_count == 0


def test_updates_of_many_users_are_not_merged_in_vain(monkeypatch: pytest.MonkeyPatch) -> None:
    def merge(of: object) -> list[Update]:
        raise AssertionError("it takes long, and a snapshot is sent instead")

    monkeypatch.setattr(client_module, "merge_updates", merge)
    client = Client(Ear(), DEFAULT_TENANT, None, ClientState.CURRENT)
    for at in range(2):
        client.queue([update(f"user_{n}", at) for n in range(MAX_WAITING)])
    assert client.needs_snapshot


class Full(Ear):
    """A connection on which much is unsent."""

    unsent = MAX_BACKLOG - 10

    def backlog(self) -> int:
        return self.unsent


def test_nothing_is_sent_to_a_client_that_has_not_taken_enough() -> None:
    async def deliver() -> None:
        feeds = Feeds(asyncio.Event())
        delivery = Delivery(Settings(""), feeds, asyncio.Event())
        connection = Full()
        client = Client(connection, DEFAULT_TENANT, ("ada",), ClientState.CURRENT)
        feeds.add(client)
        subscriptions = feeds.by_tenant[DEFAULT_TENANT].subscriptions
        await delivery.deliver(subscriptions, [update("ada", 1)], TimeSlice())
        await delivery.deliver(subscriptions, [update("ada", 2), update("bob", 2)], TimeSlice())
        assert not connection.messages
        connection.unsent = MIN_BACKLOG - 1
        delivery.check(client, 0)
        (merged,) = connection.heard("readings")
        assert (merged["user_id"], merged["count"]) == ("ada", 2)
        delivery.remove(client)
        await delivery.deliver(subscriptions, [update("ada", 3)], TimeSlice())
        assert len(connection.messages) == 1
        assert not subscriptions.clients
        assert not feeds.by_tenant

    asyncio.run(deliver())


def test_a_client_that_has_taken_everything_need_not_wait_for_a_check() -> None:
    async def deliver() -> None:
        feeds = Feeds(asyncio.Event())
        delivery = Delivery(Settings(""), feeds, asyncio.Event())
        connection = Full()
        client = Client(connection, DEFAULT_TENANT, None, ClientState.CURRENT)
        feeds.add(client)
        subscriptions = feeds.by_tenant[DEFAULT_TENANT].subscriptions
        for at in range(3):
            connection.unsent = 0
            await delivery.deliver(subscriptions, [update(f"user_{n}", at) for n in range(MAX_WAITING)], TimeSlice())
            connection.unsent = MAX_BACKLOG
            await delivery.deliver(subscriptions, [update("ada", at)], TimeSlice())
        assert not client.needs_snapshot
        assert [message["user_id"] for message in connection.heard("readings")].count("ada") == 2
        assert client in delivery.slow

    asyncio.run(deliver())


class Slow(Ear):
    """A connection that takes a tenth of a slice to write to, and to close."""

    unsent = 0

    def send(self, message: Message) -> None:
        super().send(message)
        time.sleep(SLICE_SECONDS / 10)

    def backlog(self) -> int:
        return self.unsent

    def close(self, code: int, reason: str) -> None:
        time.sleep(SLICE_SECONDS / 10)


@pytest.mark.parametrize("user_ids", [("ada",), None])
def test_other_tasks_run_while_updates_are_delivered_to_many(user_ids: tuple[str, ...] | None) -> None:
    turns = 0

    async def take_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def deliver() -> None:
        nonlocal turns
        feeds = Feeds(asyncio.Event())
        delivery = Delivery(Settings(""), feeds, asyncio.Event())
        connections = [Slow() for _ in range(100)]
        clients = [Client(connection, DEFAULT_TENANT, user_ids, ClientState.CURRENT) for connection in connections]
        for client in clients:
            feeds.add(client)
        subscriptions = feeds.by_tenant[DEFAULT_TENANT].subscriptions
        others = asyncio.create_task(take_turns())
        message = messages.encode(type="state")
        turns = 0
        await delivery.send_all((client, message) for client in clients)
        assert turns >= 9
        turns = 0
        await delivery.deliver(subscriptions, [update("ada", 1)], TimeSlice())
        assert turns >= 9
        for connection in connections:
            connection.unsent = MIN_BACKLOG
        delivery.slow = {client: Backlog(0, since=0, progress_at=0) for client in clients}
        turns = 0
        await delivery.check_all(clients)
        assert turns >= 9
        assert delivery.drops == 100
        others.cancel()

    asyncio.run(deliver())
