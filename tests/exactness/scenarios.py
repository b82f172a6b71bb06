"""What meets what: each scenario plays one out on the stage, and returns what was wrong."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import psycopg

from tests.exactness import door
from tests.exactness.model import DAY, HOUR, MINUTE
from tests.exactness.stage import NOON, Stage, beat, send_event

Scenario = Callable[[Stage], list[str]]
RANGE = ("default", "ada", NOON - 2 * DAY, NOON + 2 * DAY)


def late_reading(stage: Stage) -> list[str]:
    """A reading arrives below the horizon, and a refresh follows."""
    stage.write(beat("watch", NOON, 100), beat("watch", NOON + MINUTE, 110))
    door.refresh(stage.db, NOON + DAY)
    stage.write(beat("watch", NOON + 2 * MINUTE, 3), beat("watch", NOON, 104))
    found = stage.wrong()
    door.refresh(stage.db, NOON + DAY)
    if left := door.stale_days(stage.db):
        found.append(f"{left} days are stale after a refresh")
    return found + stage.wrong()


def new_priority(stage: Stage) -> list[str]:
    """The phone becomes better than the watch for a day that is in the rollups, and a refresh follows."""
    stage.write(beat("watch", NOON, 100), beat("phone", NOON + 1, 7))
    door.refresh(stage.db, NOON + DAY)
    door.set_priority(stage.db, "default", "phone", 1)
    stage.model.set_priority("default", "phone", 1)
    found = stage.wrong()
    door.refresh(stage.db, NOON + DAY)
    return found + stage.wrong()


def announced_only(stage: Stage) -> list[str]:
    """A refresh is killed right after it announced a horizon."""
    stage.write(beat("watch", NOON, 100))
    stage.db.execute("UPDATE core.horizon SET announced = announced + INTERVAL '5 days'")
    return stage.wrong()


def horizon_within_a_day(stage: Stage) -> list[str]:
    """The horizon goes on in small steps, so that days, hours and quarters are cut by it."""
    found = []
    for turn in range(6):
        stage.write(beat("watch", NOON + turn * 20 * MINUTE, 100 + turn))
        door.refresh(stage.db, NOON + turn * 15 * MINUTE)
        found += stage.wrong()
    door.refresh(stage.db, NOON + DAY)
    return found + stage.wrong()


def late_event(stage: Stage) -> list[str]:
    """An event arrives below the horizon, and a refresh follows; another one arrives above it."""
    stage.write_event("one", NOON)
    door.refresh(stage.db, NOON + DAY)
    stage.write_event("two", NOON + MINUTE)
    stage.write_event("three", NOON + DAY + HOUR + 1)
    found = stage.miscounted()
    door.refresh(stage.db, NOON + DAY)
    row = stage.db.execute("SELECT count(*) FROM core.stale_event_day").fetchone()
    if row != (0,):
        found.append(f"{row} days are stale after a refresh")
    return found + stage.miscounted()


def event_over_an_announcement(stage: Stage) -> list[str]:
    """An event is stored above the horizon and not committed while a refresh moves the horizon past it."""
    writer = stage.connect()
    stage.write_event("one", NOON)
    with writer.transaction():
        send_event(writer, "two", NOON + MINUTE)
        refresh = stage.act(lambda db: door.refresh(db, NOON + DAY))
    refresh.end()
    stage.events.append(NOON + MINUTE)
    return stage.miscounted()


def event_during_stale_time(stage: Stage) -> list[str]:
    """An event is stored in a stale day where its refresh has read already."""
    door.refresh(stage.db, NOON + 2 * DAY)
    stage.write_event("one", NOON)
    with stage.stopped_at("event_1d"):
        refresh = stage.act(lambda db: door.refresh(db, NOON + 2 * DAY))
        stage.write_event("two", NOON + MINUTE)
        found = stage.miscounted()
    refresh.end()
    return found + stage.miscounted()


def write_over_an_announcement(stage: Stage) -> list[str]:
    """A writer has written above the horizon and not committed while a refresh moves the horizon past it."""
    stage.write(beat("watch", NOON, 100))
    item = beat("watch", NOON + MINUTE, 3)
    writer = stage.connect()
    with writer.transaction():
        door.write(writer, [item])
        refresh = stage.act(lambda db: door.refresh(db, NOON + DAY))
    refresh.end()
    stage.model.write([item])
    return stage.wrong()


def priority_over_an_announcement(stage: Stage) -> list[str]:
    """The same with a priority that changes above the horizon."""
    stage.write(beat("watch", NOON, 100), beat("phone", NOON + 1, 7))
    owner = stage.connect()
    with owner.transaction():
        door.set_priority(owner, "default", "phone", 1)
        refresh = stage.act(lambda db: door.refresh(db, NOON + DAY))
    refresh.end()
    stage.model.set_priority("default", "phone", 1)
    return stage.wrong()


def asked_during_new_time(stage: Stage) -> list[str]:
    """Somebody asks while a refresh of new time stands still before the last level."""
    stage.write(beat("watch", NOON, 100))
    with stage.stopped_at("user_1d"):
        refresh = stage.act(lambda db: door.refresh(db, NOON + 2 * DAY))
        found = stage.wrong()
    refresh.end()
    return found + stage.wrong()


def asked_during_stale_time(stage: Stage) -> list[str]:
    """Somebody asks while a refresh of a stale day stands still before the last level."""
    door.refresh(stage.db, NOON + 2 * DAY)
    stage.write(beat("watch", NOON, 100))
    with stage.stopped_at("user_1d"):
        refresh = stage.act(lambda db: door.refresh(db, NOON + 2 * DAY))
        found = stage.wrong()
    refresh.end()
    return found + stage.wrong()


def written_during_new_time(stage: Stage) -> list[str]:
    """Somebody writes where a refresh of new time has read already."""
    stage.write(beat("watch", NOON, 100))
    with stage.stopped_at("user_1d"):
        refresh = stage.act(lambda db: door.refresh(db, NOON + 2 * DAY))
        stage.write(beat("watch", NOON + MINUTE, 3))
        found = stage.wrong()
    refresh.end()
    return found + stage.wrong()


def written_during_stale_time(stage: Stage) -> list[str]:
    """Somebody writes to a stale day where its refresh has read already."""
    door.refresh(stage.db, NOON + 2 * DAY)
    stage.write(beat("watch", NOON, 100))
    with stage.stopped_at("user_1d"):
        refresh = stage.act(lambda db: door.refresh(db, NOON + 2 * DAY))
        stage.write(beat("watch", NOON + MINUTE, 3))
        found = stage.wrong()
    refresh.end()
    found += stage.wrong()
    door.refresh(stage.db, NOON + 2 * DAY)
    return found + stage.wrong()


def erase(db: psycopg.Connection[Any]) -> int:
    return door.erase(db, "default", "ada")


def gone(stage: Stage) -> list[str]:
    """Return what is still known of Ada."""
    stage.model.erase("default", "ada")
    return stage.wrong() + door.keyless(stage.db)


def erased_during_a_refresh(stage: Stage) -> list[str]:
    """Ada is erased while a refresh is about to read a stale day of hers, and the erasure waits for a writer."""
    door.refresh(stage.db, NOON)
    stage.write(beat("watch", NOON - DAY, 100))
    writer, keeper = stage.connect(), stage.connect()
    with writer.transaction():
        with keeper.transaction():
            keeper.execute("LOCK TABLE core.reading IN ACCESS EXCLUSIVE MODE")
            refresh = stage.act(lambda db: door.refresh(db, NOON))
            writer.execute("SELECT api.hold_horizon()")
            erasure = stage.act(erase)
        refresh.end()
    erasure.end()
    return gone(stage)


def written_over_an_erasure(stage: Stage) -> list[str]:
    """A reading of Ada's is stored and not committed when she is erased."""
    stage.write(beat("watch", NOON, 100))
    writer = stage.connect()
    with writer.transaction():
        door.write(writer, [beat("watch", NOON + MINUTE, 3)])
        erasure = stage.act(erase)
    erasure.end()
    return gone(stage)


def moved_over_an_erasure(stage: Stage) -> list[str]:
    """Somebody moves a reading of Ada's by an UPDATE that began before she was erased."""
    stage.write(beat("watch", NOON, 100))
    owner = stage.connect()
    with owner.transaction():
        erase(owner)
        move = stage.act(lambda db: db.execute("UPDATE api.readings SET ts = ts + INTERVAL '1 minute'").rowcount)
    found = [] if move.end() == 0 else ["it moved"]
    return found + gone(stage)


def asked_during_an_erasure(stage: Stage) -> list[str]:
    """Somebody asks while an erasure is not committed."""
    stage.write(beat("watch", NOON, 100))
    door.refresh(stage.db, NOON + 2 * DAY)
    stage.write(beat("watch", NOON - DAY, 200))
    owner = stage.connect()
    with owner.transaction():
        erase(owner)
        found = stage.wrong()
    return found + gone(stage)


def written_to_a_marked_day(stage: Stage) -> list[str]:
    """Somebody wrote to a day that was marked already, and has not committed when a refresh claims it."""
    door.refresh(stage.db, NOON + DAY)
    stage.write(beat("watch", NOON, 100), beat("watch", NOON + DAY + HOUR, 9))
    item = beat("watch", NOON + MINUTE, 3)
    writer = stage.connect()
    with ExitStack() as until_claimed:
        with stage.stopped_at("user_1d"):
            refresh = stage.act(lambda db: door.refresh(db, NOON + 2 * DAY))
            until_claimed.enter_context(writer.transaction())
            door.write(writer, [item])
        stage.settle(refresh)
    refresh.end()
    stage.model.write([item])
    return stage.wrong()


def torn(stage: Stage, ask: Callable[[psycopg.Connection[Any]], Any], right: Callable[[], Any]) -> list[str]:
    """Somebody writes to a stale and to a fresh day at once, after a question found out which is which."""
    stage.write(beat("watch", NOON, 100))
    door.refresh(stage.db, NOON + 2 * DAY)
    stage.write(beat("watch", NOON - DAY, 200))
    before = right()
    with stage.stopped_at("user_1d", "ACCESS EXCLUSIVE"):
        question = stage.act(ask)
        stage.write(beat("watch", NOON - DAY + MINUTE, 3), beat("watch", NOON + MINUTE, 5))
    got = question.end()
    return [] if got in (before, right()) else [f"{got} is neither {before} nor {right()}"]


def torn_summary(stage: Stage) -> list[str]:
    return torn(stage, lambda db: door.summary(db, *RANGE), lambda: stage.model.summary(*RANGE))


def torn_series(stage: Stage) -> list[str]:
    by_day = (*RANGE, "1d", "UTC")
    return torn(stage, lambda db: door.series(db, *by_day)[0], lambda: stage.model.series(*by_day))
