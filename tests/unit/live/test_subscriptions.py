"""What waits for a client that takes too little."""

from __future__ import annotations

import asyncio
import time

import pytest

from service.live import messages, subscriptions
from service.live.delivery import LARGEST_BACKLOG, SMALLEST_BACKLOG, Delivery
from service.live.latest_cache import Book, Latest, Value
from service.live.messages import Message
from service.live.notifications import Change
from service.live.subscriptions import MOST_WAITING, Audience, Client, News
from service.settings import Settings
from service.slices import SLICE_SECONDS, Slices
from tests.support.live_clients import Ear


def news(user_id: str, at: int) -> News:
    return News(user_id, Change(1, at, at), Latest(heart_rate=Value(60.0, at, "watch")))


def waiting_for(client: Client) -> list[tuple[str, int, int, int]]:
    """Take what waits: whose readings, how many, the first and the last moment."""
    taken = client.take_waiting()
    assert all(item.latest.heart_rate == Value(60.0, item.change.last, "watch") for item in taken)
    return [(item.user_id, item.change.count, item.change.first, item.change.last) for item in taken]


def test_what_waits_is_merged_for_each_client_alone() -> None:
    early, late = Client(Ear(), None, is_stale=False), Client(Ear(), None, is_stale=False)
    both = [news("ada", 2), news("bob", 2)]
    early.wait([news("ada", 1)])
    for client in (early, late):
        client.wait(both)
    assert waiting_for(early) == [("ada", 2, 1, 2), ("bob", 1, 2, 2)]
    assert waiting_for(late) == [("ada", 1, 2, 2), ("bob", 1, 2, 2)]
    assert waiting_for(late) == []


def test_of_few_users_any_number_of_changes_waits_and_of_many_the_state() -> None:
    client = Client(Ear(), None, is_stale=False)
    for at in range(3 * MOST_WAITING):
        client.wait([news(f"user_{at % 400}", at)])
        assert client.waits <= MOST_WAITING
    assert sum(count for _, count, _, _ in waiting_for(client)) == 3 * MOST_WAITING
    assert not client.is_stale
    for at in range(MOST_WAITING + 1):
        client.wait([news(f"user_{at}", at)])
    assert client.is_stale
    assert client.waits == 0


def test_news_of_many_users_are_not_merged_in_vain(monkeypatch: pytest.MonkeyPatch) -> None:
    def merged(of: object) -> list[News]:
        raise AssertionError("it takes long, and the state is sent instead")

    monkeypatch.setattr(subscriptions, "merged", merged)
    client = Client(Ear(), None, is_stale=False)
    for at in range(2):
        client.wait([news(f"user_{n}", at) for n in range(MOST_WAITING)])
    assert client.is_stale


class Full(Ear):
    """A line on which much is unsent."""

    unsent = LARGEST_BACKLOG - 10

    def backlog(self) -> int:
        return self.unsent


def test_nothing_is_written_to_one_who_has_not_taken_enough() -> None:
    async def tell() -> None:
        all_clients = Audience(Book())
        delivery = Delivery(Settings(""), all_clients, asyncio.Event())
        line = Full()
        client = Client(line, ("ada",), is_stale=False)
        all_clients.join(client)
        await delivery.tell([news("ada", 1)], Slices())
        await delivery.tell([news("ada", 2), news("bob", 2)], Slices())
        assert not line.messages
        line.unsent = SMALLEST_BACKLOG - 1
        delivery.look_at(client, 0)
        (told,) = line.heard("readings")
        assert (told["user_id"], told["count"]) == ("ada", 2)
        delivery.leave(client)
        await delivery.tell([news("ada", 3)], Slices())
        assert len(line.messages) == 1
        assert not all_clients.all

    asyncio.run(tell())


def test_who_has_taken_everything_need_not_wait_until_somebody_looks() -> None:
    async def tell() -> None:
        all_clients = Audience(Book())
        delivery = Delivery(Settings(""), all_clients, asyncio.Event())
        line = Full()
        client = Client(line, None, is_stale=False)
        all_clients.join(client)
        for at in range(3):
            line.unsent = 0
            await delivery.tell([news(f"user_{n}", at) for n in range(MOST_WAITING)], Slices())
            line.unsent = LARGEST_BACKLOG
            await delivery.tell([news("ada", at)], Slices())
        assert not client.is_stale
        assert [told["user_id"] for told in line.heard("readings")].count("ada") == 2
        assert client in delivery.slow

    asyncio.run(tell())


class Slow(Ear):
    """A line that takes a tenth of a slice to write to, and to close."""

    unsent = 0

    def write(self, message: Message) -> None:
        super().write(message)
        time.sleep(SLICE_SECONDS / 10)

    def backlog(self) -> int:
        return self.unsent

    def close(self, code: int, reason: str) -> None:
        time.sleep(SLICE_SECONDS / 10)


@pytest.mark.parametrize("user_ids", [("ada",), None])
def test_others_have_their_turns_while_many_are_told(user_ids: tuple[str, ...] | None) -> None:
    turns = 0

    async def take_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def tell() -> None:
        nonlocal turns
        all_clients = Audience(Book())
        delivery = Delivery(Settings(""), all_clients, asyncio.Event())
        lines = [Slow() for _ in range(100)]
        clients = [Client(line, user_ids, is_stale=False) for line in lines]
        for client in clients:
            all_clients.join(client)
        others = asyncio.create_task(take_turns())
        message = messages.encode(type="state")
        turns = 0
        await delivery.write_all((client, message) for client in clients)
        assert turns >= 9
        turns = 0
        await delivery.tell([news("ada", 1)], Slices())
        assert turns >= 9
        for line in lines:
            line.unsent = SMALLEST_BACKLOG
        delivery.slow = set(clients)
        turns = 0
        await delivery.look_at_all(clients)
        assert turns >= 9
        assert delivery.drops == 100
        others.cancel()

    asyncio.run(tell())
