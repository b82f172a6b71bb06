"""What live messages say is what the database says, whoever wrote, and however little of it the hub has asked for."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager
from datetime import UTC, datetime
from random import Random
from typing import Any, NamedTuple

import psycopg
import pytest
from psycopg.rows import dict_row

from service.database.pool import make_pool
from service.http.tenancy import DEFAULT_TENANT
from service.ingest import write_load
from service.ingest.writer import Writer, running_writer
from service.live import load_shedding, pacing
from service.live.feeds import Feed
from service.live.hub import Hub, running_hub
from service.model.latest import latest_by_user
from service.model.pg_time import to_micros
from service.model.reading import Row
from service.model.timestamps import parse_timestamp
from service.settings import Settings
from tests.support.live_clients import Ear
from tests.support.wire import PATIENCE

HISTORIES = int(os.environ.get("LIVE_HISTORIES", "2"))
STEPS = 25
USERS = ("ada", "bob", "eve")
DEVICES = ("device_a", "watch", "phone")
START = to_micros(parse_timestamp("2024-01-15T10:00:00Z"))
KINDS = ("write", "insert", "update", "delete", "delete a range", "prioritize", "erase", "come and go", "press")
WEIGHTS = (16, 2, 1, 3, 2, 2, 0.5, 5, 4)
ALWAYS, NEVER = 0.0, 1e9  # that so many writes under way press
Document = dict[str, Any] | None


def some_rows(chance: Random) -> list[Row]:
    """Readings of few moments, so that many meet: the same one again, another device's, late ones."""
    return [
        Row(
            chance.choice(USERS),
            chance.choice(DEVICES),
            START + chance.randrange(12) * 500_000,
            chance.choice((None, 60.5, float(chance.randint(40, 200)))),
            chance.choice((None, chance.randint(0, 9))),
            chance.choice((0.25, 1.5)),
        )
        for _ in range(chance.choice((1, 1, 2, 5)))
    ]


class Listener(NamedTuple):
    """Someone who listens to a user, or to everyone."""

    ear: Ear
    user_id: str | None

    def told(self) -> dict[str, list[Document]]:
        """Return what was told of each user listened to, in order."""
        told: dict[str, list[Document]] = {user_id: [] for user_id in USERS if self.user_id in (None, user_id)}
        for message in self.ear.heard("state", "readings"):
            named = {user["user_id"]: user["latest"] for user in message.get("users", [message])}
            for user_id, of_user in told.items():
                # Of everyone, a state leaves out who has no readings.
                if user_id in named or message["type"] == "state":
                    of_user.append(named.get(user_id))
        return told


class Story:
    """A history of the database, and those who listen meanwhile."""

    def __init__(self, db: psycopg.Connection, hub: Hub, writer: Writer, chance: Random) -> None:
        self.db = db
        self.hub = hub
        self.writer = writer
        self.chance = chance
        self.states: list[dict[str, Document]] = []
        self.staying = [Listener(Ear(), user_id) for user_id in ("ada", "bob", None)]
        self.gone: list[Listener] = []
        self.visitor: Listener | None = None
        self.visit = ExitStack()

    def remember(self) -> None:
        """Ask the database for what is true now."""
        with self.db.cursor(row_factory=dict_row) as cursor:
            rows = cursor.execute(
                "SELECT n AS user_id, l.* FROM unnest(%s::text[]) AS n CROSS JOIN api.latest('default', n) AS l",
                [list(USERS)],
            ).fetchall()
        documents = {user_id: latest.document() for user_id, latest in latest_by_user(rows).items()}
        self.states.append(dict.fromkeys(USERS) | documents)

    async def step(self, kind: str) -> None:
        """Let something happen."""
        user_id, at = self.chance.choice(USERS), f"2024-01-15 10:00:0{self.chance.randrange(6)}Z"
        device_id = self.chance.choice(DEVICES)
        match kind:
            case "write":
                await self.write(some_rows(self.chance))
            case "insert":
                insert = "INSERT INTO api.readings (user_id, device_id, ts, heart_rate) VALUES (%s, %s, %s, %s)"
                await self.run(insert, user_id, device_id, at, self.chance.randint(40, 200))
            case "update":
                await self.run("UPDATE api.readings SET heart_rate = 99, steps = NULL WHERE user_id = %s", user_id)
            case "delete":
                await self.run("DELETE FROM api.readings WHERE user_id = %s AND ts >= %s", user_id, at)
            case "delete a range":
                await self.run("SELECT api.delete_readings('default', %s, %s, 'infinity')", user_id, at)
            case "prioritize":
                priority = self.chance.randint(0, 5)
                await self.run("SELECT api.set_device('default', %s, NULL, %s)", device_id, priority)
            case "erase":
                await self.run("SELECT api.erase_user('default', %s)", user_id)
            case "come and go":
                self.come_and_go()
            case "press":
                write_load.HIGH = ALWAYS if write_load.HIGH == NEVER else NEVER

    def come_and_go(self) -> None:
        """Let someone who listens go, or come for a while."""
        self.visit.close()
        if self.visitor is not None:
            self.gone.append(self.visitor)
            self.visitor = None
        else:
            self.visitor = Listener(Ear(), self.chance.choice((None, "eve", "ada")))
            named = None if self.visitor.user_id is None else [self.visitor.user_id]
            self.visit.enter_context(self.subscribed(self.visitor.ear, named))

    @property
    def feed(self) -> Feed:
        """The feed of those who listen."""
        return self.hub.feeds.by_tenant[DEFAULT_TENANT]

    def subscribed(self, ear: Ear, user_ids: list[str] | tuple[str, ...] | None) -> AbstractContextManager[None]:
        """Listen to users, or to everyone."""
        return self.hub.subscribed(ear, DEFAULT_TENANT, user_ids)

    async def write(self, rows: list[Row]) -> Counter[str]:
        """Write readings as a request does."""
        return await self.writer.write(DEFAULT_TENANT, rows)

    async def run(self, statement: str, *parameters: object) -> None:
        """Do what psql would."""
        await asyncio.to_thread(self.db.execute, statement.encode(), parameters)

    @property
    def listeners(self) -> list[Listener]:
        """Everybody who listens now."""
        return [*self.staying, *([] if self.visitor is None else [self.visitor])]

    def is_told(self) -> bool:
        """Tell whether everybody who listens knows how it stands."""
        return all(
            told[-1:] == [self.states[-1][user_id]]
            for listener in self.listeners
            for user_id, told in listener.told().items()
        )

    async def until(self, true: Callable[[], bool]) -> None:
        """Wait."""
        async with asyncio.timeout(PATIENCE):
            while not true():
                await asyncio.sleep(0.005)


@asynccontextmanager
async def telling(url: str, db: psycopg.Connection) -> AsyncIterator[Story]:
    """Run a hub and a writer that nobody listens to yet."""
    settings = Settings(url)
    async with (
        make_pool(settings) as pool,
        running_hub(settings, pool) as hub,
        running_writer(pool, 3, 1000, 3.0, hub.own_commits) as writer,
    ):
        await hub.listening.wait()
        yield Story(db, hub, writer, Random(0))


async def tell(url: str, db: psycopg.Connection, seed: int, together: int) -> None:
    """Let a random history happen, so many steps at once, and look at what was told."""
    chance = Random(seed)
    async with telling(url, db) as story:
        story.chance = chance
        with ExitStack() as listening, story.visit:
            for listener in story.staying:
                named = None if listener.user_id is None else [listener.user_id]
                listening.enter_context(story.subscribed(listener.ear, named))
            story.remember()
            await story.until(story.is_told)
            for _ in range(STEPS):
                kinds = chance.choices(KINDS, WEIGHTS, k=together)
                await asyncio.gather(*(story.step(kind) for kind in kinds))
                await asyncio.to_thread(story.remember)
            try:
                await story.until(story.is_told)
            except TimeoutError:
                last = [{user_id: of[-1:] for user_id, of in who.told().items()} for who in story.listeners]
                pytest.fail(f"seed {seed}: told is {last}, true is {story.states[-1]}")
            if together == 1:
                for who in [*story.listeners, *story.gone]:
                    if who.user_id is None:
                        continue  # a state may tell of a commit before it is announced, and then comes news of others
                    for user_id, told in who.told().items():
                        follow(told, [state[user_id] for state in story.states], f"seed {seed}, {user_id}")


def follow(told: list[Document], states: list[Document], where: str) -> None:
    """Check that each thing told was true, and none after a later one."""
    place = 0
    for said in told:
        while place < len(states) and states[place] != said:
            place += 1
        assert place < len(states), f"{where}: {said} was not true after what was told before"


@pytest.fixture
def quick_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rounds that follow each other closely, so that they meet more of what happens."""
    monkeypatch.setattr(pacing, "MIN_PAUSE", 0.001)
    monkeypatch.setattr(pacing, "MAX_PAUSE_UNDER_LOAD", 0.01)
    monkeypatch.setattr(load_shedding, "MAX_SNAPSHOT_INTERVAL", 0.01)
    monkeypatch.setattr(load_shedding, "CALM_SECONDS", 0.005)
    monkeypatch.setattr(write_load, "WINDOW", 0)
    monkeypatch.setattr(write_load, "HIGH", NEVER)


@pytest.mark.usefixtures("quick_rounds")
@pytest.mark.parametrize("seed", range(HISTORIES))
def test_each_message_says_what_was_true(database_url: str, db: psycopg.Connection, seed: int) -> None:
    asyncio.run(tell(database_url, db, seed, together=1))


@pytest.mark.usefixtures("quick_rounds")
@pytest.mark.parametrize("seed", range(HISTORIES))
def test_what_happens_at_once_ends_in_what_is_true(database_url: str, db: psycopg.Connection, seed: int) -> None:
    asyncio.run(tell(database_url, db, seed, together=3))


def last(ear: Ear) -> dict[str, Any]:
    """Return what a client heard last."""
    return ear.heard("state", "readings")[-1]


def test_what_the_process_wrote_itself_is_not_asked_for(database_url: str, db: psycopg.Connection) -> None:
    async def write() -> None:
        ear = Ear()
        async with telling(database_url, db) as story:
            with story.subscribed(ear, USERS):
                await story.until(lambda: bool(ear.messages))
                for second in range(10):
                    await story.write([Row(user_id, "watch", START + second, 70.0) for user_id in USERS])
                await story.until(lambda: sum(told["count"] for told in ear.heard("readings")) == 30)
                counts: Counter[str] = Counter()
                for told in ear.heard("readings"):
                    counts[told["user_id"]] += told["count"]
                assert counts == dict.fromkeys(USERS, 10)
                story.remember()
                assert {told["user_id"]: told["latest"] for told in ear.heard("readings")} == story.states[-1]
                assert story.hub.broadcaster.loaded_users == 0
                await story.run("UPDATE api.readings SET heart_rate = 99 WHERE user_id = 'ada'")
                await story.until(lambda: last(ear)["latest"]["heart_rate"]["value"] == 99)
                assert story.hub.broadcaster.loaded_users == 1

    asyncio.run(write())


def test_while_readings_press_who_listens_to_everyone_gets_the_state(
    database_url: str, db: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load_shedding, "CALM_SECONDS", 0.005)
    monkeypatch.setattr(write_load, "WINDOW", 0)

    async def press() -> None:
        everyone, ada = Ear(), Ear()
        async with telling(database_url, db) as story:
            with story.subscribed(everyone, None), story.subscribed(ada, ["ada"]):
                await story.until(lambda: bool(everyone.messages) and bool(ada.messages))
                monkeypatch.setattr(write_load, "HIGH", ALWAYS)
                await asyncio.sleep(pacing.MIN_PAUSE)  # until it is seen
                await story.write([Row(user_id, "watch", START, 70.0) for user_id in USERS])
                await story.until(lambda: everyone.heard("state")[-1].get("count") == 2)
                told = everyone.heard("state")[-1]
                rates = {user["user_id"]: user["latest"]["heart_rate"]["value"] for user in told["users"]}
                assert rates == dict.fromkeys(USERS, 70)
                assert told["complete"]
                # Whom somebody names is told of as always.
                await story.until(lambda: last(ada)["type"] == "readings")
                # More of the same in a while, and at the latest when nobody writes any longer.
                await story.write([Row("bob", "watch", START + 1, 71.0)])
                await story.until(lambda: story.feed.shedding.skipped == 1)  # announced while writes press
                monkeypatch.setattr(write_load, "HIGH", NEVER)
                await story.until(lambda: everyone.heard("state")[-1]["count"] == 1)
                await asyncio.sleep(pacing.MIN_PAUSE)
                await story.write([Row("bob", "watch", START + 2, 72.0)])
                await story.until(lambda: last(everyone)["type"] == "readings")
                assert last(everyone)["latest"]["heart_rate"]["value"] == 72
                assert len(everyone.heard("state")) == 3

    asyncio.run(press())


def test_a_priority_that_changes_is_told_of_and_holds(database_url: str, db: psycopg.Connection) -> None:
    async def change() -> None:
        ear = Ear()
        async with telling(database_url, db) as story:
            await story.write([Row("ada", "watch", START, 70.0), Row("ada", "phone", START, 80.0)])
            with story.subscribed(ear, None):
                await story.until(lambda: bool(ear.messages))
                # The announcement of what was written before may follow the state.
                assert ear.heard("state")[0]["users"][0]["latest"]["heart_rate"]["device_id"] == "watch"
                await story.write([Row("ada", "watch", START + 1, None, 1)])
                await story.until(lambda: last(ear)["type"] == "readings")
                await story.run("SELECT api.set_device('default', 'phone', NULL, 0)")
                await story.until(lambda: last(ear)["type"] == "state")
                assert last(ear)["users"][0]["latest"]["heart_rate"]["device_id"] == "phone"
                await story.write([Row("ada", "watch", START + 2, None, 2)])
                await story.until(lambda: last(ear)["type"] == "readings")
                assert last(ear)["latest"]["heart_rate"]["device_id"] == "phone"

    asyncio.run(change())


def test_what_nobody_listened_to_is_not_known(database_url: str, db: psycopg.Connection) -> None:
    async def come_again() -> None:
        async with telling(database_url, db) as story:
            with story.subscribed(Ear(), ["bob"]):
                for second in range(2):
                    ear = Ear()
                    with story.subscribed(ear, None):
                        await story.until(lambda ear=ear: bool(ear.messages))
                        await story.write([Row("ada", "watch", START + second, None, 1)])
                        await story.until(lambda ear=ear: last(ear).get("latest") is not None)
                        assert last(ear)["latest"]["heart_rate"] is None
                        await story.write([Row("ada", "watch", START + 10, 70.0)])
                        await story.until(lambda ear=ear: last(ear)["latest"]["heart_rate"] is not None)
                    heard = story.hub.notifications
                    await story.run("DELETE FROM api.readings WHERE user_id = 'ada'")
                    await story.until(
                        lambda heard=heard: story.hub.notifications > heard and not story.hub.broadcaster.unnamed.by_key
                    )

    asyncio.run(come_again())


def test_who_is_asked_for_when_nobody_listens_any_longer_is_not_known(
    database_url: str, db: psycopg.Connection
) -> None:
    async def leave() -> None:
        async with telling(database_url, db) as story:
            ear, broadcaster = Ear(), story.hub.broadcaster
            with story.subscribed(ear, ["bob"]):
                await story.until(lambda: bool(ear.messages))
                # As if somebody who listened to ada had left just now.
                await broadcaster.load({DEFAULT_TENANT: ["ada", "bob"]})
                assert list(story.feed.latest_cache.entries) == ["bob"]

    asyncio.run(leave())


def test_fresh_readings_are_told_by_their_mark_alone(database_url: str, db: psycopg.Connection) -> None:
    async def write_now() -> None:
        async with telling(database_url, db) as story:
            story.hub.presence.others_until = 0
            ear, now = Ear(), to_micros(datetime.now(UTC))
            with story.subscribed(ear, ["ada"]):
                await story.until(lambda: bool(ear.messages))
                for beat in (70.0, 71.0):
                    counts = await story.write([Row("ada", "watch", now + int(beat), beat)])
                    assert counts["inserted"] == 1
                    await story.until(lambda: last(ear)["type"] == "readings")
                    await story.until(lambda beat=beat: last(ear)["latest"]["heart_rate"]["value"] == beat)
            assert db.execute("SELECT count(*) FROM api.readings").fetchone() == (2,)

    asyncio.run(write_now())


def test_another_process_announces_who_changed_once_it_knows_that_clients_listen(
    database_url: str, db: psycopg.Connection
) -> None:
    async def listen_elsewhere() -> None:
        settings, ear = Settings(database_url), Ear()
        async with (
            telling(database_url, db) as story,
            make_pool(settings) as pool,
            running_hub(settings, pool) as elsewhere,
        ):
            await elsewhere.listening.wait()
            here = story.hub.own_commits
            here.presence.others_until = 0
            with elsewhere.subscribed(ear, DEFAULT_TENANT, ["ada"]):
                await story.until(lambda: bool(ear.messages) and here.has_remote_subscribers)
                # As if it had missed that: it says nothing of whom, so the state is sent, and it is told again.
                here.presence.others_until = 0
                await story.write([Row("ada", "watch", START, 70.0)])
                await story.until(lambda: here.has_remote_subscribers)
                await story.until(lambda: last(ear)["type"] == "state" and last(ear)["users"][0]["latest"] is not None)
                await story.write([Row("ada", "watch", START + 1, 71.0)])
                await story.until(lambda: last(ear)["type"] == "readings")
                assert last(ear)["latest"]["heart_rate"]["value"] == 71
                assert len(ear.heard("state")) == 2

    asyncio.run(listen_elsewhere())
