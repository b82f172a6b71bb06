"""Rounds of live updates: what is collected for them, and how far apart they are."""

from __future__ import annotations

import asyncio
import time
from typing import cast

import pytest

from service.database.pool import Pool
from service.ingest import write_load
from service.ingest.write_load import WINDOW, Pressure
from service.live.broadcaster import (
    CALM_SECONDS,
    LONGEST_PAUSE,
    MOST_IN_ROUND,
    PRESSED,
    PRESSED_PAUSE,
    SHORTEST_PAUSE,
    Rounds,
    pause,
)
from service.live.coalescing import MOST_ASIDE
from service.live.delivery import Delivery
from service.live.latest_cache import Book, Latest, Value
from service.live.notifications import Change
from service.live.subscriptions import Audience, Client
from service.model.reading import Row
from service.settings import Settings
from tests.support.live_clients import Ear

TIMES = 7


def rounds_for(*user_ids: str) -> Rounds:
    """Rounds for a client that listens to users, of whom nothing was measured, or to everyone where none is named."""
    book, wake = Book(), asyncio.Event()
    audience = Audience(book)
    audience.join(Client(Ear(), user_ids or None))
    book.ask(user_ids)
    book.answer({}, time.monotonic())
    nothing = cast(Pool, None)
    return Rounds(nothing, "here", Pressure(), book, audience, Delivery(Settings(""), audience, wake), wake)


def row(at: int, user_id: str = "ada") -> Row:
    return Row(user_id, "watch", at, 60.0)


def test_many_readings_of_a_user_are_one_change_and_few_of_them_are_kept() -> None:
    async def take() -> None:
        rounds = rounds_for("ada")
        for number in range(95):
            # Later ones and earlier ones, in turns.
            at = number if number % 2 else -number
            rounds.take_batch([rounds.audience.pick([row(at), row(at, "bob")])])
            assert "ada" not in rounds.fresh or len(rounds.fresh["ada"].aside) < MOST_ASIDE
        assert "bob" not in rounds.fresh, "nobody listens"
        latest = Latest(heart_rate=Value(60.0, 93, "watch"))
        assert rounds.take_changes() == {"ada": (Change(95, -94, 93), latest)}
        assert not rounds.fresh
        assert not rounds.changed

    asyncio.run(take())


def test_of_too_many_users_some_wait_and_none_is_lost() -> None:
    async def take() -> None:
        rounds = rounds_for()
        users = [f"user_{n}" for n in range(2 * MOST_IN_ROUND + 1)]
        for times in range(1, TIMES + 1):
            batch = [row(times, user_id) for user_id in users[:: 3 if times > 1 else 1]]
            rounds.take_batch([rounds.audience.pick(batch)])
        told: list[str] = []
        for size in (MOST_IN_ROUND, MOST_IN_ROUND, 1, 0):
            taken = rounds.take_changes()
            assert len(taken) == size
            told += taken
            for user_id, (change, _) in taken.items():
                assert change.count == (TIMES if users.index(user_id) % 3 == 0 else 1)
        assert sorted(told) == sorted(users)

    asyncio.run(take())


def test_what_is_picked_for_others_than_those_who_listen_now_is_picked_anew() -> None:
    async def take() -> None:
        rounds = rounds_for("ada")
        picked = rounds.audience.pick([row(0), row(0, "bob"), row(0, "eve")])
        assert [each.user_id for each in picked.named] == ["ada"]
        rounds.audience.join(Client(Ear(), ("bob",)))
        rounds.take_batch([picked])
        assert list(rounds.fresh) == ["ada", "bob"]
        rounds.audience.leave(next(client for client in rounds.audience.all if client.user_ids == ("ada",)))
        rounds.take_batch([picked])
        assert rounds.fresh["ada"].count == 1
        assert rounds.fresh["bob"].count == 2

    asyncio.run(take())


def pressed_rounds(monkeypatch: pytest.MonkeyPatch) -> tuple[Rounds, list[bool]]:
    """Rounds for a client of everyone and one that names ada, and whether writes press."""
    rounds, press = rounds_for("ada"), [False]
    rounds.audience.join(Client(Ear(), None))
    monkeypatch.setattr(rounds.pressure, "is_high", lambda: press[-1])
    return rounds, press


def take(rounds: Rounds, *rows: Row) -> None:
    """Let a request of readings be announced."""
    rounds.take_batch([rounds.audience.pick(rows)])


def test_while_readings_press_only_those_of_who_is_named_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    async def press_and_calm() -> None:
        rounds, press = pressed_rounds(monkeypatch)
        rounds.book.ask(["bob"])
        rounds.book.answer({}, time.monotonic())
        take(rounds, row(1), row(1, "bob"), row(1, "eve"))
        assert len(rounds.fresh) == 3
        press.append(True)
        take(rounds, row(2), row(2, "bob"), row(2, "eve"))
        assert list(rounds.fresh) == ["ada"]
        assert rounds.fresh["ada"].count == 2
        assert rounds.skipped == 4, "those of before count, too"
        assert list(rounds.book.known) == ["ada"], "what was skipped is not known"
        press.append(False)
        take(rounds, row(3, "bob"))
        assert rounds.skipped == 5, "a moment of calm is no reason to ask for everyone"
        rounds.calm_at -= CALM_SECONDS
        take(rounds, row(4, "bob"))
        assert rounds.fresh["bob"].count == 1
        assert rounds.skipped == 5, "until a state tells of them"

    asyncio.run(press_and_calm())


def test_whom_nobody_names_any_longer_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    async def go() -> None:
        rounds, press = pressed_rounds(monkeypatch)
        press.append(True)
        take(rounds, row(1))
        rounds.audience.leave(next(client for client in rounds.audience.all if client.user_ids == ("ada",)))
        take(rounds, row(2))
        assert rounds.skipped == 1
        (taken,) = rounds.take_changes().values()
        assert taken == (Change(1, 1, 1), None), "it must be asked for"

    asyncio.run(go())


def test_what_others_changed_while_readings_press_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    async def change() -> None:
        rounds, press = pressed_rounds(monkeypatch)
        press.append(True)

        async def fetch(*_: object, user_ids: list[str] | None, **__: object) -> list[dict[str, object]]:
            assert user_ids == ["ada"]
            press.append(False)
            rounds.calm_at = 0.0
            take(rounds, row(1, "eve"))
            return [{"user_key": 1, "user_id": "ada"}]

        monkeypatch.setattr("service.live.broadcaster.fetch_all", fetch)
        rounds.decide()
        rounds.touched = {1: Change(1, 0, 0), 2: Change(5, 0, 0)}
        await rounds.name_touched()
        assert rounds.changed == {"ada": Change(1, 0, 0)}
        assert rounds.skipped == 5, "also where nothing presses any longer by then"

    asyncio.run(change())


def test_rounds_that_tell_much_are_further_apart_and_more_so_where_readings_press() -> None:
    assert pause(0, 0, 0) == SHORTEST_PAUSE
    assert SHORTEST_PAUSE < pause(0.2, 0, 0) < pause(0.2, 0.012, 0) < LONGEST_PAUSE
    assert pause(60, 60, 0) == LONGEST_PAUSE
    assert pause(0, 0, PRESSED) == SHORTEST_PAUSE
    assert LONGEST_PAUSE < pause(0, 0.012, PRESSED) < PRESSED_PAUSE
    assert pause(60, 60, PRESSED) == PRESSED_PAUSE


def test_a_pause_lasts_as_long_as_readings_press() -> None:
    async def rest(rounds: Rounds) -> float:
        began, writing = time.monotonic(), rounds.pressure.spent()
        rounds.telling_seconds = 60.0
        await rounds.rest(began, writing)
        return time.monotonic() - began

    async def both() -> None:
        rounds = rounds_for("ada")
        with rounds.pressure.writing(), rounds.pressure.writing():
            assert await rest(rounds) >= PRESSED_PAUSE
        assert LONGEST_PAUSE <= await rest(rounds) < PRESSED_PAUSE

    asyncio.run(both())


def test_writes_are_counted_by_their_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(write_load.time, "monotonic", lambda: now)
    counted = Pressure()
    now += 5
    with counted.writing():
        now += 1
        with counted.writing():
            now += 2
            assert counted.spent() == 1 + 2 * 2
        now += 1
    now += 5
    assert counted.spent() == 1 + 2 * 2 + 1


def test_writes_press_where_more_than_one_is_under_way_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(write_load.time, "monotonic", lambda: now)
    counted = Pressure()
    with counted.writing():
        now += 9 * WINDOW
        assert not counted.is_high(), "a slow one"
    now += WINDOW
    assert not counted.is_high()
    with counted.writing(), counted.writing():
        now += WINDOW
        assert counted.is_high()
    now += 0.5 * WINDOW
    assert counted.is_high(), "until the window is over"
    now += WINDOW
    assert not counted.is_high()
