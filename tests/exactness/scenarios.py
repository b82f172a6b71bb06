"""What meets what: each scenario plays one out on the stage, and returns what was wrong."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import psycopg

from tests.support import sql_client
from tests.support.interleaving import NOON, Act, Stage, beat, send_event
from tests.support.reference_model import DAY, HOUR, MINUTE, Item, micros

Scenario = Callable[[Stage], list[str]]
RANGE = ("default", "ada", NOON - 2 * DAY, NOON + 2 * DAY)


CHECKED = (NOON - 4 * DAY, NOON + 4 * DAY)
STALE = "CALL api_internal.refresh_stale_days('infinity', NULL)"


def refreshed(stage: Stage, horizon: int) -> list[str]:
    """Refresh; return what is stale, answered wrongly or wrong in the rollups afterwards."""
    sql_client.refresh(stage.db, horizon)
    found = [] if sql_client.stale_days(stage.db) == 0 else ["days are stale after a refresh"]
    return found + stage.wrong() + [str(row) for row in sql_client.drift(stage.db, *CHECKED)]


def stale_days_only(db: psycopg.Connection[Any]) -> None:
    """Roll up without moving the horizon, whose lock would be the first piece's too: both are one transaction."""
    db.execute(STALE)


def ended(*acts: Act) -> list[str]:
    """Wait for the end of what was started; return the errors of the database."""
    found = []
    for act in acts:
        try:
            act.end()
        except psycopg.Error as error:
            found.append(f"{error!r}")
    return found


def late_reading(stage: Stage) -> list[str]:
    """A reading arrives below the horizon, and a refresh follows."""
    stage.write(beat("watch", NOON, 100), beat("watch", NOON + MINUTE, 110))
    sql_client.refresh(stage.db, NOON + DAY)
    stage.write(beat("watch", NOON + 2 * MINUTE, 3), beat("watch", NOON, 104))
    return stage.wrong() + refreshed(stage, NOON + DAY)


def late_reading_beside_others(stage: Stage) -> list[str]:
    """A reading arrives in an hour, and on a day, of which other quarters are in the rollups."""
    stage.write(*(beat("watch", NOON + turn * 20 * MINUTE, 100 + turn) for turn in range(6)))
    sql_client.refresh(stage.db, NOON + DAY)
    stage.write(beat("watch", NOON + 2 * MINUTE, 3))
    return stage.wrong() + refreshed(stage, NOON + DAY)


def emptied(stage: Stage) -> list[str]:
    """Readings are deleted: first all of a quarter, then of an hour, of a day, and of everything."""
    devices = ("watch", "phone")
    moments = (NOON, NOON + 20 * MINUTE, NOON + 2 * HOUR, NOON + DAY)
    stage.write(*(beat(device, ts + turn, 100 + turn) for ts in moments for turn, device in enumerate(devices)))
    found = refreshed(stage, NOON + 3 * DAY)
    for end in (NOON + 15 * MINUTE, NOON + HOUR, NOON + 12 * HOUR, NOON + 2 * DAY):
        span = ("default", "ada", NOON, end, None)
        sql_client.delete(stage.db, *span)
        stage.model.delete(*span)
        found += stage.wrong() + refreshed(stage, NOON + 3 * DAY)
    return found + [f"{level} is not empty" for level in sql_client.LEVELS if stage.rows(level)]


def a_device_leaves(stage: Stage) -> list[str]:
    """Two devices met, and all that one of them measured is deleted."""
    stage.write(beat("watch", NOON, 100), beat("phone", NOON + 1, 7), beat("watch", NOON + 3 * HOUR, 9))
    found = refreshed(stage, NOON + 2 * DAY)
    if [stage.rows(level) for level in sql_client.LEVELS] != [2, 2, 1, 1, 2, 2, 2, 2]:
        found.append("devices that met have no rows of their own")
    span = ("default", "ada", NOON, NOON + HOUR, "phone")
    sql_client.delete(stage.db, *span)
    stage.model.delete(*span)
    found += stage.wrong() + refreshed(stage, NOON + 2 * DAY)
    return found + [
        f"{level} tells of a device that met no other" for level in sql_client.LEVELS[4:] if stage.rows(level)
    ]


def one_of_three_devices_leaves(stage: Stage) -> list[str]:
    """Three devices met, and all that one of them measured is deleted: the others still meet."""
    stage.write(beat("watch", NOON, 100), beat("phone", NOON + 1, 7), beat("ring", NOON + 2, 9))
    found = refreshed(stage, NOON + 2 * DAY)
    span = ("default", "ada", NOON, NOON + HOUR, "ring")
    sql_client.delete(stage.db, *span)
    stage.model.delete(*span)
    found += stage.wrong() + refreshed(stage, NOON + 2 * DAY)
    rows = [stage.rows(level) for level in sql_client.LEVELS]
    return found if rows == [1, 1, 1, 1, 2, 2, 2, 2] else [*found, f"rows are {rows}"]


def a_device_comes(stage: Stage) -> list[str]:
    """A second device measures where one was alone, and a third one in another quarter of the same day."""
    stage.write(beat("watch", NOON, 100), beat("watch", NOON + 3 * HOUR, 9))
    found = refreshed(stage, NOON + 2 * DAY)
    for item in (beat("phone", NOON + HOUR, 7), beat("phone", NOON + 3 * HOUR + 1, 5)):
        stage.write(item)
        found += stage.wrong() + refreshed(stage, NOON + 2 * DAY)
    return found


def refreshed_again(stage: Stage) -> list[str]:
    """All that is in the rollups is marked and refreshed again, and is as it should be: nothing is written."""
    devices = ("watch", "phone")
    moments = [NOON + turn * 50 * MINUTE for turn in range(40)]
    stage.write(*(beat(device, ts + turn, 100 + turn) for ts in moments for turn, device in enumerate(devices)))
    stage.write(beat("watch", NOON + 3 * DAY, 5))
    found = refreshed(stage, NOON + 5 * DAY)
    before = stage.versions()
    stage.db.execute("INSERT INTO core.stale_day (user_key, day, quarters) " + EVERYTHING)
    found += refreshed(stage, NOON + 5 * DAY)
    return found if stage.versions() == before else [*found, "rows were written that had not changed"]


def untouched_quarters(stage: Stage) -> list[str]:
    """Rows of two quarters are spoilt: a refresh of one of them does not read the other one's readings."""
    stage.write(beat("watch", NOON, 100), beat("watch", NOON + HOUR, 9))
    sql_client.refresh(stage.db, NOON + 2 * DAY)
    stage.db.execute("UPDATE rollup.user_15m SET steps = 5000")
    stage.write(beat("watch", NOON + MINUTE, 3))
    sql_client.refresh(stage.db, NOON + 2 * DAY)
    rows = stage.db.execute("SELECT steps FROM rollup.user_15m ORDER BY bucket").fetchall()
    return [] if rows == [(103,), (5000,)] else [f"quarters come to {rows}"]


def more_users_than_a_piece(stage: Stage) -> list[str]:
    """More users have late readings on one day than a refresh takes at once."""
    sql_client.refresh(stage.db, NOON + 2 * DAY)
    stage.write(*(Item("default", f"user {turn:02}", "watch", NOON, 61, turn, 1) for turn in range(40)))
    return refreshed(stage, NOON + 2 * DAY)


EVERYTHING = "SELECT DISTINCT user_key, time_bucket('1 day', bucket), ~ B'0'::bit(96) FROM rollup.user_15m"


def new_priority(stage: Stage) -> list[str]:
    """The phone becomes better than the watch for a day that is in the rollups, and a refresh follows."""
    stage.write(beat("watch", NOON, 100), beat("phone", NOON + 1, 7))
    sql_client.refresh(stage.db, NOON + DAY)
    sql_client.set_priority(stage.db, "default", "phone", 1)
    stage.model.set_priority("default", "phone", 1)
    return stage.wrong() + refreshed(stage, NOON + DAY)


def priority_of_other_quarters(stage: Stage) -> list[str]:
    """The phone becomes better, and only the quarter in which it met the watch is marked."""
    stage.write(beat("watch", NOON, 100), beat("phone", NOON + 1, 7), beat("phone", NOON + HOUR, 7))
    sql_client.refresh(stage.db, NOON + DAY)
    sql_client.set_priority(stage.db, "default", "phone", 1)
    stage.model.set_priority("default", "phone", 1)
    rows = stage.db.execute(
        "SELECT day + position(B'1' IN quarters) * INTERVAL '15 minutes', quarters FROM core.stale_day"
    )
    marked = [(micros(end), quarters.count("1")) for end, quarters in rows.fetchall()]
    found = [] if marked == [(NOON + 15 * MINUTE, 1)] else [f"marked is {marked}"]
    return found + stage.wrong() + refreshed(stage, NOON + DAY)


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
        sql_client.refresh(stage.db, NOON + turn * 15 * MINUTE)
        found += stage.wrong()
    return found + refreshed(stage, NOON + DAY)


def silent_before_the_end(stage: Stage) -> list[str]:
    """Nothing is measured any more when the horizon passes the end of an hour, of four, and of the day."""
    found = refreshed(stage, NOON)
    stage.write(beat("watch", NOON + 5 * MINUTE, 100))
    for horizon in (NOON + 15 * MINUTE, NOON + 45 * MINUTE, NOON + HOUR, NOON + 5 * HOUR, NOON + 12 * HOUR):
        found += refreshed(stage, horizon)
    if [stage.rows(level) for level in sql_client.LEVELS[:4]] != [1, 1, 1, 1]:
        found.append("an hour, four hours or a day are not written down when it is over")
    return found


def rolled_up_above_the_horizon(stage: Stage) -> list[str]:
    """Readings between the horizons are rolled up before readers may trust it: nothing counts twice."""
    stage.write(beat("watch", NOON - 2 * DAY - HOUR, 100))
    stage.db.execute("UPDATE core.horizon SET announced = announced + INTERVAL '5 days'")
    stage.write(beat("watch", NOON, 3), beat("watch", NOON + HOUR, 5))
    stage.db.execute(STALE)
    found = stage.wrong()
    if stage.rows("user_1d") != 2:
        found.append("days that end by the announced horizon are not written down")
    return found + refreshed(stage, NOON + 3 * DAY)


def late_event(stage: Stage) -> list[str]:
    """An event arrives below the horizon, and a refresh follows; another one arrives above it."""
    stage.write_event("one", NOON)
    sql_client.refresh(stage.db, NOON + DAY)
    stage.write_event("two", NOON + MINUTE)
    stage.write_event("three", NOON + DAY + HOUR + 1)
    found = stage.miscounted()
    sql_client.refresh(stage.db, NOON + DAY)
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
        refresh = stage.act(lambda db: sql_client.refresh(db, NOON + DAY))
    refresh.end()
    stage.events.append(NOON + MINUTE)
    return stage.miscounted()


def event_during_stale_time(stage: Stage) -> list[str]:
    """An event is stored in a stale day where its refresh has read already."""
    sql_client.refresh(stage.db, NOON + 2 * DAY)
    stage.write_event("one", NOON)
    with stage.stopped_at("event_1d"):
        refresh = stage.act(lambda db: sql_client.refresh(db, NOON + 2 * DAY))
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
        sql_client.write(writer, [item])
        refresh = stage.act(lambda db: sql_client.refresh(db, NOON + DAY))
    refresh.end()
    stage.model.write([item])
    return stage.wrong()


def priority_over_an_announcement(stage: Stage) -> list[str]:
    """The same with a priority that changes above the horizon."""
    stage.write(beat("watch", NOON, 100), beat("phone", NOON + 1, 7))
    owner = stage.connect()
    with owner.transaction():
        sql_client.set_priority(owner, "default", "phone", 1)
        refresh = stage.act(lambda db: sql_client.refresh(db, NOON + DAY))
    found = ended(refresh)
    stage.model.set_priority("default", "phone", 1)
    return found + stage.wrong() + refreshed(stage, NOON + DAY)


def asked_during_new_time(stage: Stage) -> list[str]:
    """Somebody asks while a refresh of new time stands still before the last level."""
    stage.write(beat("watch", NOON, 100))
    with stage.stopped_at("user_1d"):
        refresh = stage.act(lambda db: sql_client.refresh(db, NOON + 2 * DAY))
        found = stage.wrong()
    refresh.end()
    return found + stage.wrong()


def asked_during_stale_time(stage: Stage) -> list[str]:
    """Somebody asks while a refresh of a stale day stands still before the last level."""
    sql_client.refresh(stage.db, NOON + 2 * DAY)
    stage.write(beat("watch", NOON, 100))
    with stage.stopped_at("user_1d"):
        refresh = stage.act(lambda db: sql_client.refresh(db, NOON + 2 * DAY))
        found = stage.wrong()
    refresh.end()
    return found + stage.wrong()


def written_during_new_time(stage: Stage) -> list[str]:
    """Somebody writes where a refresh of new time has read already."""
    stage.write(beat("watch", NOON, 100))
    with stage.stopped_at("user_1d"):
        refresh = stage.act(lambda db: sql_client.refresh(db, NOON + 2 * DAY))
        stage.write(beat("watch", NOON + MINUTE, 3))
        found = stage.wrong()
    refresh.end()
    return found + stage.wrong()


def written_during_stale_time(stage: Stage) -> list[str]:
    """Somebody writes to a stale day where its refresh has read already."""
    sql_client.refresh(stage.db, NOON + 2 * DAY)
    stage.write(beat("watch", NOON, 100))
    with stage.stopped_at("user_1d"):
        refresh = stage.act(lambda db: sql_client.refresh(db, NOON + 2 * DAY))
        stage.write(beat("watch", NOON + MINUTE, 3))
        found = stage.wrong()
    refresh.end()
    found += stage.wrong()
    sql_client.refresh(stage.db, NOON + 2 * DAY)
    return found + stage.wrong()


def asked_before_new_time_is_marked(stage: Stage) -> list[str]:
    """A refresh has announced a horizon and is about to mark what it passes."""
    stage.write(beat("watch", NOON, 100))
    sql_client.refresh(stage.db, NOON - HOUR)
    with stage.stopped_at("core.stale_day"):
        refresh = stage.act(lambda db: sql_client.refresh(db, NOON + HOUR))
        found = stage.wrong()
    return found + ended(refresh) + refreshed(stage, NOON + 2 * DAY)


def written_after_new_time_was_marked(stage: Stage) -> list[str]:
    """A user's first reading of an hour comes when new time has been marked and readers do not trust it yet.

    Another refresh rolls it up meanwhile.
    """
    found = refreshed(stage, NOON - 45 * MINUTE)
    stage.write(Item("default", "bob", "watch", NOON + MINUTE, 61, 1, 1))
    with stage.holding("core.horizon", "UPDATE OF materialized"):
        moving = stage.act(lambda db: sql_client.refresh(db, NOON + HOUR), held=True)
        if not moving.thread.is_alive():
            found.append("nothing was held")
        stage.write(beat("watch", NOON + MINUTE, 100))
        found += stage.wrong()
        found += ended(stage.act(lambda db: db.execute(STALE)))
        found += stage.wrong()
    found += ended(moving) + stage.wrong()
    return found + refreshed(stage, NOON + HOUR)


def an_older_snapshot(stage: Stage) -> list[str]:
    """A refresh is held when it has read the readings; one more is written, and another refresh comes along."""
    # A chunk that is there, so that the second does not wait for the first to create it.
    stage.write(beat("watch", NOON - HOUR, 5))
    sql_client.refresh(stage.db, NOON + 2 * DAY)
    stage.write(beat("watch", NOON, 100))
    found = []
    with stage.holding("rollup.user_15m", "INSERT"):
        older = stage.act(lambda db: sql_client.refresh(db, NOON + 2 * DAY), held=True)
        if not older.thread.is_alive():
            found.append("nothing was held")
        stage.write(beat("watch", NOON + MINUTE, 3))
        newer = stage.act(lambda db: sql_client.refresh(db, NOON + 2 * DAY))
        found += stage.wrong()
    found += ended(older, newer) + stage.wrong()
    return found + refreshed(stage, NOON + 2 * DAY)


def priority_before_a_piece(stage: Stage) -> list[str]:
    """A priority changes, unseen yet, and a refresh comes to readings that no rollup knows."""
    sql_client.refresh(stage.db, NOON + 2 * DAY)
    stage.write(beat("watch", NOON, 100), beat("phone", NOON + 1, 7))
    owner = stage.connect()
    with owner.transaction():
        sql_client.set_priority(owner, "default", "phone", 1)
        refresh = stage.act(lambda db: sql_client.refresh(db, NOON + 2 * DAY))
    found = ended(refresh)
    stage.model.set_priority("default", "phone", 1)
    return found + stage.wrong() + refreshed(stage, NOON + 2 * DAY)


def priority_during_a_piece(stage: Stage) -> list[str]:
    """A priority changes when a refresh has read readings with the old one, and not committed."""
    sql_client.refresh(stage.db, NOON + 2 * DAY)
    stage.write(beat("watch", NOON, 100), beat("phone", NOON + 1, 7))
    with stage.stopped_at("user_1d"):
        refresh = stage.act(stale_days_only)
        change = stage.act(lambda db: sql_client.set_priority(db, "default", "phone", 1))
    found = ended(refresh, change)
    stage.model.set_priority("default", "phone", 1)
    return found + stage.wrong() + refreshed(stage, NOON + 2 * DAY)


def refreshed_over_a_priority(stage: Stage) -> list[str]:
    """A priority changes, unseen yet, and a refresh that has a horizon to move and a stale day does not wait for it."""
    sql_client.refresh(stage.db, NOON)
    stage.write(beat("watch", NOON - DAY, 100), beat("watch", NOON, 7))
    owner = stage.connect()
    with owner.transaction():
        sql_client.set_priority(owner, "default", "phone", 1)
        refresh = stage.act(lambda db: sql_client.refresh(db, NOON + 2 * DAY))
        found = ["the refresh waits"] if refresh.thread.is_alive() else []
        if (sql_client.horizon(stage.db), sql_client.stale_days(stage.db)) != (NOON, 1):
            found.append("the refresh went on")
    found += ended(refresh)
    stage.model.set_priority("default", "phone", 1)
    return found + stage.wrong() + refreshed(stage, NOON + 2 * DAY)


def erased_during_a_piece(stage: Stage) -> list[str]:
    """Ada is erased when a refresh has written some of her rollups and not committed."""
    sql_client.refresh(stage.db, NOON + 2 * DAY)
    stage.write(beat("watch", NOON, 100))
    with stage.holding("rollup.user_1d", "INSERT"):
        refresh = stage.act(stale_days_only, held=True)
        erasure = stage.act(erase)
    return ended(refresh, erasure) + gone(stage)


def erased_while_new_time_is_marked(stage: Stage) -> list[str]:
    """Ada is erased when a refresh has found her readings in new time, and not marked them yet."""
    stage.write(beat("watch", NOON, 100))
    with stage.holding("core.stale_day", "INSERT"):
        refresh = stage.act(lambda db: sql_client.refresh(db, NOON + 2 * DAY), held=True)
        erasure = stage.act(erase)
    return ended(refresh, erasure) + gone(stage)


def erase(db: psycopg.Connection[Any]) -> int:
    return sql_client.erase(db, "default", "ada")


def gone(stage: Stage) -> list[str]:
    """Return what is still known of Ada."""
    stage.model.erase("default", "ada")
    return stage.wrong() + sql_client.keyless(stage.db)


def erased_during_a_refresh(stage: Stage) -> list[str]:
    """Ada is erased while a refresh is about to read a stale day of hers, and the erasure waits for a writer."""
    sql_client.refresh(stage.db, NOON)
    stage.write(beat("watch", NOON - DAY, 100))
    writer, keeper = stage.connect(), stage.connect()
    with writer.transaction():
        with keeper.transaction():
            keeper.execute("LOCK TABLE core.reading IN ACCESS EXCLUSIVE MODE")
            refresh = stage.act(lambda db: sql_client.refresh(db, NOON))
            writer.execute("SELECT api_internal.hold_horizon()")
            erasure = stage.act(erase)
        stage.settle(refresh)
    refresh.end()
    erasure.end()
    return gone(stage)


def refreshed_during_an_erasure(stage: Stage) -> list[str]:
    """Ada's rollups are erased, and the erasure waits for a writer, when a refresh comes to a stale day of hers."""
    sql_client.refresh(stage.db, NOON + 2 * DAY)
    stage.write(beat("watch", NOON, 100))
    writer = stage.connect()
    with writer.transaction():
        writer.execute("SELECT api_internal.hold_horizon()")
        erasure = stage.act(erase)
        found = ended(stage.act(lambda db: sql_client.refresh(db, NOON + 2 * DAY)))
    return found + ended(erasure) + gone(stage)


def written_over_an_erasure(stage: Stage) -> list[str]:
    """A reading of Ada's is stored and not committed when she is erased."""
    stage.write(beat("watch", NOON, 100))
    writer = stage.connect()
    with writer.transaction():
        sql_client.write(writer, [beat("watch", NOON + MINUTE, 3)])
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
    sql_client.refresh(stage.db, NOON + 2 * DAY)
    stage.write(beat("watch", NOON - DAY, 200))
    owner = stage.connect()
    with owner.transaction():
        erase(owner)
        found = stage.wrong()
    return found + gone(stage)


def written_to_a_marked_day(stage: Stage) -> list[str]:
    """Somebody wrote to a day that was marked already, and has not committed when a refresh claims it."""
    sql_client.refresh(stage.db, NOON + DAY)
    stage.write(beat("watch", NOON, 100), beat("watch", NOON + DAY + HOUR, 9))
    item = beat("watch", NOON + MINUTE, 3)
    writer = stage.connect()
    with ExitStack() as until_claimed:
        with stage.stopped_at("user_1d"):
            refresh = stage.act(lambda db: sql_client.refresh(db, NOON + 2 * DAY))
            until_claimed.enter_context(writer.transaction())
            sql_client.write(writer, [item])
        stage.settle(refresh)
    refresh.end()
    stage.model.write([item])
    return stage.wrong()


def torn(stage: Stage, ask: Callable[[psycopg.Connection[Any]], Any], right: Callable[[], Any]) -> list[str]:
    """Somebody writes to a stale and to a fresh day at once, after a question found out which is which."""
    stage.write(beat("watch", NOON, 100))
    sql_client.refresh(stage.db, NOON + 2 * DAY)
    stage.write(beat("watch", NOON - DAY, 200))
    before = right()
    with stage.stopped_at("user_1d", "ACCESS EXCLUSIVE"):
        question = stage.act(ask)
        stage.write(beat("watch", NOON - DAY + MINUTE, 3), beat("watch", NOON + MINUTE, 5))
    got = question.end()
    return [] if got in (before, right()) else [f"{got} is neither {before} nor {right()}"]


def torn_summary(stage: Stage) -> list[str]:
    return torn(stage, lambda db: sql_client.summary(db, *RANGE), lambda: stage.model.summary(*RANGE))


def torn_series(stage: Stage) -> list[str]:
    by_day = (*RANGE, "1d", "UTC")
    return torn(stage, lambda db: sql_client.series(db, *by_day)[0], lambda: stage.model.series(*by_day))


RETENTION = "UPDATE core.setting SET value = %s WHERE name = 'raw_retention'"
KEPT_DAY = ("default", "ada", NOON - 12 * HOUR, NOON + 12 * HOUR)


def retain(stage: Stage, how_long: str | None) -> None:
    """Keep raw readings for so long, and let upkeep see to it."""
    stage.db.execute(RETENTION, [how_long])
    stage.db.execute("CALL api.upkeep()")


def known_without_raw(stage: Stage) -> list[str]:
    """Return what is not answered of Ada as it was measured, where her raw readings are gone."""
    model, user = stage.model, KEPT_DAY[:2]
    asked: list[tuple[str, Any, Any]] = [
        ("latest", sql_client.latest(stage.db, *user), model.latest(*user)),
        ("seen", sql_client.seen(stage.db, "default"), model.seen("default")),
        ("worn", sql_client.worn(stage.db, *KEPT_DAY), ["watch", "phone"]),
    ]
    for device in (None, "watch", "phone"):
        asked.append(
            (f"summary of {device}", sql_client.summary(stage.db, *KEPT_DAY, device), model.summary(*KEPT_DAY, device))
        )
        for bucket in ("15m", "1h", "1d"):
            got = sql_client.series(stage.db, *KEPT_DAY, bucket, "UTC", device=device)[0]
            asked.append((f"{bucket} of {device}", got, model.series(*KEPT_DAY, bucket, "UTC", device)))
    for bucket in ("15m", "1h", "1d"):
        asked.append(
            (f"vitals_{bucket}", sql_client.vitals(stage.db, *KEPT_DAY, bucket), model.vitals(*KEPT_DAY, bucket))
        )
    return [f"{what}: {got} instead of {right}" for what, got, right in asked if got != right]


def raw_dropped(stage: Stage) -> list[str]:
    """Retention drops the raw readings of a day; then it is made longer, and at last switched off."""
    items = [beat("watch", NOON, 100), beat("phone", NOON + MINUTE, 7), beat("watch", NOON + 2 * HOUR, 9)]
    stage.write(*items)
    sql_client.refresh(stage.db, NOON + 2 * DAY)
    late = beat("watch", NOON + 5 * MINUTE, 3)
    found = []
    for how_long in ("30 days", "10000 days", None):
        retain(stage, how_long)
        for by in (sql_client.insert, sql_client.copy):
            try:
                by(stage.db, [late])
                found.append(f"a reading is accepted by {by.__name__} with {how_long}")
            except psycopg.errors.CheckViolation as error:
                if "Accepted is what lies from" not in str(error):
                    found.append(f"it is not said why: {error}")
            except psycopg.Error as error:
                found.append(f"it is let in, and refused where it is stored: {error}")
        sql_client.refresh(stage.db, NOON + 2 * DAY)
        found += known_without_raw(stage)
    row = stage.db.execute("SELECT count(*) FROM core.reading").fetchone()
    if row != (0,):
        found.append(f"{row} readings are left")
    # By a writer that has looked up what is accepted before that changed.
    try:
        sql_client.write(stage.db, [late])
        found.append("a reading is accepted where raw readings are gone")
    except psycopg.errors.ObjectNotInPrerequisiteState:
        pass
    sql_client.refresh(stage.db, NOON + 2 * DAY)
    return found + known_without_raw(stage)


def raw_of_a_stale_day(stage: Stage) -> list[str]:
    """Retention meets a day that is stale: its readings are kept until it is refreshed."""
    stage.write(beat("watch", NOON, 100), beat("phone", NOON + MINUTE, 7))
    sql_client.refresh(stage.db, NOON + 2 * DAY)
    stage.write(beat("watch", NOON + 2 * MINUTE, 3))
    retain(stage, "30 days")
    found = stage.wrong()
    sql_client.refresh(stage.db, NOON + 2 * DAY)
    retain(stage, "30 days")
    return found + known_without_raw(stage)


def raw_above_the_horizon(stage: Stage) -> list[str]:
    """Retention meets readings that the horizon has not passed."""
    stage.write(beat("watch", NOON, 100), beat("phone", NOON + MINUTE, 7))
    retain(stage, "30 days")
    return stage.wrong() + refreshed(stage, NOON + 2 * DAY)


def priority_where_raw_is_gone(stage: Stage) -> list[str]:
    """The priority of a device changes that met another one where retention has dropped raw readings."""
    stage.write(beat("watch", NOON, 100), beat("phone", NOON + MINUTE, 7))
    sql_client.refresh(stage.db, NOON + 2 * DAY)
    retain(stage, "30 days")
    try:
        sql_client.set_priority(stage.db, "default", "watch", 1)
    except psycopg.Error as error:
        return [f"the priority cannot change: {error}"]
    stage.model.set_priority("default", "watch", 1)
    sql_client.refresh(stage.db, NOON + 2 * DAY)
    return known_without_raw(stage)


def dropped_while_written_to(stage: Stage) -> list[str]:
    """Retention comes to a day to which somebody has written, and not committed."""
    stage.write(beat("watch", NOON, 100), beat("phone", NOON + MINUTE, 7))
    sql_client.refresh(stage.db, NOON + 2 * DAY)
    retain(stage, None)  # compressed now, so that upkeep next drops it
    stage.db.execute(RETENTION, ["30 days"])
    item = beat("watch", NOON + 2 * MINUTE, 3)
    writer = stage.connect()
    with writer.transaction():
        sql_client.write(writer, [item])
        upkeep = stage.act(lambda db: db.execute("CALL api.upkeep()"))
    found = ended(upkeep)
    stage.model.write([item])
    found += stage.wrong()
    sql_client.refresh(stage.db, NOON + 2 * DAY)
    retain(stage, "30 days")
    return found + known_without_raw(stage)
