"""Writers, refreshes and questions at once: an answer is that of one state between its question's start and its end.

Each tenant has one writer, so that its states follow each other: a question that starts when i changes are
acknowledged, and ends when j have been begun, must be answered as of one of i to j. Contents follow from seeds; how the
threads meet does not. EXACTNESS_SECONDS says how long they go on.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random
from threading import Event, Thread
from typing import Any

import psycopg
import pytest

from tests.support import sql_client
from tests.support.moments import DAY, HOUR, MINUTE, SECOND, moment
from tests.support.reference_model import Model
from tests.support.stored import Item

SECONDS = float(os.environ.get("EXACTNESS_SECONDS", "20"))
START = 19_800 * DAY  # 2024-03-18
DEVICES = ["device_a", "device_b", "watch"]
USERS = ["ada", "bob"]
KEPT = 300
COPY = "COPY core.reading (user_key, device_key, ts, heart_rate, steps, calories) FROM STDIN"


@dataclass
class Tenant:
    """A tenant's states: what it looked like after each change; `begun` and `done` count changes."""

    name: str
    model: Model = field(default_factory=Model)
    states: dict[int, Model] = field(default_factory=dict)
    begun: int = 0
    done: int = 0

    def __post_init__(self) -> None:
        self.states[0] = self.model.copy()

    def change(self, apply: Callable[[Model], Any], commit: Callable[[], None]) -> None:
        """Make a change; the state that it leads to is known before anybody can see it."""
        apply(self.model)
        self.states[self.begun + 1] = self.model.copy()
        self.states.pop(self.begun - KEPT, None)
        self.begun += 1
        while True:
            try:
                commit()
                break
            except psycopg.errors.DeadlockDetected:
                continue
        self.done += 1


@dataclass
class World:
    """What the threads share."""

    url: str
    tenants: list[Tenant]
    horizon: int = START + DAY
    stop: Event = field(default_factory=Event)
    wrong: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    asked: int = 0
    refreshed: int = 0
    deadlocks: int = 0

    def connect(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self.url, autocommit=True, options="-c timezone=UTC")

    def start(
        self, part: Callable[[World, Random, psycopg.Connection[Any], Any], None], seed: int, what: Any
    ) -> Thread:
        def run() -> None:
            random = Random(seed)
            try:
                with self.connect() as db:
                    while not self.stop.is_set():
                        part(self, random, db, what)
            except Exception as error:
                self.errors.append(f"{part.__name__}: {error!r}")
                self.stop.set()

        thread = Thread(target=run, daemon=True)
        thread.start()
        return thread


def near(world: World, random: Random) -> int:
    """A moment about the horizon, or anywhere in the days before."""
    if random.random() < 0.6:
        return world.horizon + random.randrange(-3 * HOUR, 3 * HOUR)
    return random.randrange(START - DAY, world.horizon + HOUR)


def items(world: World, random: Random, tenant: str) -> list[Item]:
    """Readings of a minute or of several days."""
    user = random.choice(USERS)
    base, spread = near(world, random), random.choice([MINUTE, HOUR, DAY])
    made = [
        Item(
            tenant,
            random.choice([user, *USERS]),
            random.choice(DEVICES),
            # Few different moments, so that some are overwritten.
            (base + random.randrange(-spread, spread)) // (20 * SECOND) * 20 * SECOND,
            random.choice([None, round(random.uniform(30, 220), 2)]),
            random.randrange(1000),
            random.choice([None, round(random.uniform(0, 20), 3)]),
        )
        for _ in range(random.randrange(1, 12))
    ]
    return list({item[:4]: item for item in made}.values())


def copy(db: psycopg.Connection[Any], batch: list[Item]) -> None:
    """Write as the service's fast lane does, in the caller's transaction."""
    db.execute("SELECT api_internal.hold_horizon()")
    tenants, users, devices = ([item[field] for item in batch] for field in range(3))
    row = db.execute(
        "SELECT api_internal.enrol_users(%s, %s), api_internal.enrol_devices(%s, %s)",
        [tenants, users, tenants, devices],
    ).fetchone()
    assert row is not None
    rows = [
        (user, device, moment(item.ts), item.heart_rate, item.steps, item.calories)
        for user, device, item in zip(*row, batch, strict=True)
    ]
    with db.cursor().copy(COPY) as stream:
        for fields in sorted(rows, key=lambda fields: fields[:3]):
            stream.write_row(fields)
    db.execute("SELECT api_internal.mark_stale(%s, %s)", [row[0], [fields[2] for fields in rows]])


def writer(world: World, random: Random, db: psycopg.Connection[Any], tenant: Tenant) -> None:
    """Make one change of several kinds, some of them slow to commit."""
    kind = random.choices(["write", "twice", "copy", "delete", "priority"], [6, 3, 3, 1, 1])[0]
    pause = random.choice([0, 0, 0.01, 0.05])
    if kind == "priority":
        device, priority = random.choice(DEVICES), random.choice([None, 0, 1, 2, 3])
        metrics = {random.choice(["heart_rate", "steps", "calories"]): random.choice([None, 0, 2])}
        tenant.change(
            lambda model: model.set_priority(tenant.name, device, priority, metrics),
            lambda: sql_client.set_priority(db, tenant.name, device, priority, metrics),
        )
    elif kind == "delete":
        user, start = random.choice(USERS), near(world, random)
        delete = random.choice([sql_client.delete, sql_client.delete_readings])
        span = (tenant.name, user, start, start + random.choice([MINUTE, HOUR]), None)
        tenant.change(lambda model: model.delete(*span), lambda: delete(db, *span))
    else:
        batches = [items(world, random, tenant.name) for _ in range(2 if kind == "twice" else 1)]
        if kind == "copy":
            batches = [fresh(tenant.model, batches[0])]

        def apply(model: Model) -> None:
            for batch in batches:
                model.write(batch)

        def commit() -> None:
            with db.transaction():
                for batch in batches:
                    if batch:
                        (copy if kind == "copy" else sql_client.write)(db, batch)
                time.sleep(pause)

        tenant.change(apply, commit)


def fresh(model: Model, batch: list[Item]) -> list[Item]:
    """Return what is not stored yet, which is what COPY takes, and what a reading must carry."""
    return [item for item in batch if (item.device, item.ts) not in model.readings.get((item.tenant, item.user), {})]


def refresher(world: World, random: Random, db: psycopg.Connection[Any], what: None) -> None:
    """Refresh, most often with a further horizon, and with all the time it takes or with a little."""
    world.horizon += random.choice([0, 15 * MINUTE, HOUR, 5 * HOUR]) if world.horizon < START + 12 * DAY else 0
    try:
        sql_client.aim(db, world.horizon, random.choice(["1 day", "30 days"]))
        db.execute("CALL api.refresh(%s)", [random.choice([None, None, "0 seconds", "50 milliseconds"])])
    except psycopg.errors.DeadlockDetected:
        world.deadlocks += 1
        return
    world.refreshed += 1


def reader(world: World, random: Random, db: psycopg.Connection[Any], what: None) -> None:
    """Ask one question and judge the answer."""
    tenant, user = random.choice(world.tenants), random.choice(USERS)
    start = near(world, random) // MINUTE * MINUTE + random.choice([0, 0, 1, 17 * SECOND])
    end = start + random.choice([HOUR, DAY, 4 * DAY, random.randrange(1, 6 * DAY)])
    device = random.choice([None, None, None, random.choice(DEVICES)])
    bucket = random.choice([None, None, "15m", "1h", "1d", "1w", "vitals"])
    tz = random.choice(["UTC", "Europe/Berlin", "Asia/Kathmandu"])
    question = (tenant.name, user, start, end)
    first = tenant.done
    if bucket is None:
        got: Any = sql_client.summary(db, *question, device)
    elif bucket == "vitals":
        # As docs/bi.md has it: a plan from before the snapshot would not know the chunks created in between.
        with db.transaction():
            db.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            db.execute("SET LOCAL plan_cache_mode = force_custom_plan")
            got = sql_client.vitals(db, *question, "1h")
    else:
        got = sql_client.series(db, *question, bucket, tz, 1000, device)[0]
    last = tenant.begun
    for state in range(last, first - 1, -1):
        model = tenant.states[state]
        if bucket is None:
            right: Any = model.summary(*question, device)
        elif bucket == "vitals":
            right = model.vitals(*question, "1h")
        else:
            right = model.series(*question, bucket, tz, device)
        if got == right:
            break
    else:
        world.wrong.append(f"{question} {bucket} {tz} {device}, states {first} to {last}: {got}")
        world.stop.set()
    world.asked += 1


@pytest.fixture
def world(calm: psycopg.Connection[Any], database_url: str) -> Iterator[World]:
    sql_client.place_horizon(calm, START + DAY)
    world = World(database_url, [Tenant("one"), Tenant("two")])
    yield world
    world.stop.set()


@pytest.mark.native
@pytest.mark.slow
def test_every_answer_is_of_one_state(calm: psycopg.Connection[Any], world: World) -> None:
    for tenant in world.tenants:
        for device in DEVICES:
            tenant.change(
                lambda model, who=tenant, name=device: model.set_priority(who.name, name, 1),
                lambda who=tenant, name=device: sql_client.set_priority(calm, who.name, name, 1),
            )
    threads = [world.start(writer, seed, tenant) for seed, tenant in enumerate(world.tenants)]
    threads += [world.start(refresher, 10 + seed, None) for seed in range(2)]
    threads += [world.start(reader, 20 + seed, None) for seed in range(2)]
    world.stop.wait(SECONDS)
    world.stop.set()
    for thread in threads:
        thread.join(60)
    changes = [tenant.done for tenant in world.tenants]
    print(f"{world.asked} questions, {changes} changes, {world.refreshed} refreshes, {world.deadlocks} failed")
    assert world.errors == []
    assert world.wrong == []
    assert world.asked >= 20
    assert world.refreshed >= 2
    sql_client.refresh(calm, world.horizon)
    assert sql_client.stale_days(calm) == 0
    for tenant in world.tenants:
        for user in USERS:
            whole = (tenant.name, user, START - 5 * DAY, START + 20 * DAY)
            assert sql_client.summary(calm, *whole) == tenant.model.summary(*whole)
            for device in (None, *DEVICES):
                points = sql_client.series(calm, *whole, "1h", "UTC", device=device)[0]
                assert points == tenant.model.series(*whole, "1h", "UTC", device)
    assert sql_client.drift(calm, START - 5 * DAY, START + 20 * DAY) == []
