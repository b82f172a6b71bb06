"""Each step of the protocol is needed: without it some answer is wrong, and a scenario here notices.

A mutant is a function or view of sql/ with one step taken out. Each scenario finds nothing wrong in the functions
as they are, and something in every mutant that it is named with.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest

from tests.exactness import door
from tests.exactness.model import DAY, HOUR, MINUTE
from tests.exactness.stage import NOON, Stage, beat, install, script, send_event

Scenario = Callable[[Stage], list[str]]
BEFORE = NOON - 2 * DAY


@dataclass(frozen=True)
class Mutant:
    """A file of sql/, and the regular expressions whose matches are replaced in it, each once."""

    name: str
    changes: dict[str, str]

    def text(self) -> str:
        text = script(self.name)
        for pattern, replacement in self.changes.items():
            text, times = re.subn(pattern, replacement, text, flags=re.DOTALL)
            assert times == 1, f"{pattern} is {times} times in {self.name}: fit the mutant to the file again"
        return text


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


RANGE = ("default", "ada", NOON - 2 * DAY, NOON + 2 * DAY)


def torn_summary(stage: Stage) -> list[str]:
    return torn(stage, lambda db: door.summary(db, *RANGE), lambda: stage.model.summary(*RANGE))


def torn_series(stage: Stage) -> list[str]:
    by_day = (*RANGE, "1d", "UTC")
    return torn(stage, lambda db: door.series(db, *by_day)[0], lambda: stage.model.series(*by_day))


STABLE = r"LANGUAGE plpgsql STABLE"
LEVELS = r"CALL api.refresh_levels\(old_horizon, new_horizon, false\);"
ALONE: list[tuple[str, Scenario, Mutant | None]] = [
    ("functions as they are", late_reading, None),
    (
        "nothing is marked stale",
        late_reading,
        Mutant("functions/mark_stale", {r"WHERE c.ts < \(": "WHERE false AND c.ts < ("}),
    ),
    (
        "the router ignores stale days",
        late_reading,
        Mutant("functions/parts", {r"WHERE s.user_key = ": "WHERE false AND s.user_key = "}),
    ),
    (
        "nothing is claimed",
        late_reading,
        Mutant("functions/refresh", {r"WHERE claimed IS DISTINCT FROM version": "WHERE false"}),
    ),
    (
        "stale days are forgotten, not refreshed",
        late_reading,
        Mutant("functions/refresh", {r"CALL api.refresh_levels\(piece[^;]*;": ""}),
    ),
    (
        "vitals_1h reads stale days from the rollup",
        late_reading,
        Mutant("views/vitals_1h", {r"WHERE s.user_key = r.user_key": "WHERE false AND s.user_key = r.user_key"}),
    ),
    (
        "raw_minutes leaves stale days out",
        late_reading,
        Mutant("views/raw_minutes", {r"WHERE s.day < ": "WHERE false AND s.day < "}),
    ),
    ("functions as they are", late_event, None),
    (
        "no event is marked",
        late_event,
        Mutant("functions/mark_stale_events", {r"WHERE c.ts < ": "WHERE false AND c.ts < "}),
    ),
    (
        "counts ignore stale days",
        late_event,
        Mutant("functions/count_events", {r"WHERE s.tenant_key = ": "WHERE false AND s.tenant_key = "}),
    ),
    (
        "no stale event day is claimed",
        late_event,
        Mutant("functions/refresh_stale_events", {r"WHERE claimed IS DISTINCT FROM version": "WHERE false"}),
    ),
    (
        "stale event days are forgotten",
        late_event,
        Mutant("functions/refresh_stale_events", {r"CALL api.refresh_events[^;]*;": ""}),
    ),
    ("functions as they are", new_priority, None),
    (
        "a new priority marks nothing",
        new_priority,
        Mutant("functions/set_device", {r"IF set_device.priority <> device.priority": "IF false"}),
    ),
    (
        "the refresh is not forced",
        new_priority,
        Mutant("functions/refresh", {r"new_horizon\), true\)": "new_horizon), false)"}),
    ),
    ("functions as they are", announced_only, None),
    (
        "the router trusts the announced horizon",
        announced_only,
        Mutant("functions/parts", {r"SELECT h.materialized INTO": "SELECT h.announced INTO"}),
    ),
    ("functions as they are", horizon_within_a_day, None),
    (
        "coarse rollups first",
        horizon_within_a_day,
        Mutant(
            "functions/refresh_levels", {r"AS l \(part, name, width\)": r"AS l (part, name, width) ORDER BY part DESC"}
        ),
    ),
    ("the horizon moves without a refresh", horizon_within_a_day, Mutant("functions/refresh", {LEVELS: ""})),
]
TOGETHER: list[tuple[str, Scenario, Mutant | None]] = [
    ("functions as they are", write_over_an_announcement, None),
    (
        "writers do not hold the horizon",
        write_over_an_announcement,
        Mutant("functions/hold_horizon", {r"PERFORM pg_advisory_xact_lock_shared[^;]*;": ""}),
    ),
    (
        "write_readings does not hold the horizon",
        write_over_an_announcement,
        Mutant("functions/write_readings", {r"PERFORM api.hold_horizon\(\);": ""}),
    ),
    (
        "the refresh does not wait for writers",
        write_over_an_announcement,
        Mutant("functions/refresh", {r"PERFORM pg_catalog.pg_advisory_xact_lock\([^;]*;(?=\s+UPDATE)": ""}),
    ),
    ("functions as they are", priority_over_an_announcement, None),
    (
        "set_device does not hold the horizon",
        priority_over_an_announcement,
        Mutant(
            "functions/set_device", {r"PERFORM api.hold_horizon\(\);": "", r"PERFORM pg_advisory_xact_lock[^;]*;": ""}
        ),
    ),
    ("functions as they are", asked_during_new_time, None),
    (
        "the horizon moves before the refresh",
        asked_during_new_time,
        Mutant(
            "functions/refresh",
            {LEVELS: r"UPDATE core.horizon SET materialized = new_horizon; COMMIT; \g<0>"},
        ),
    ),
    (
        "the router trusts the announced horizon",
        asked_during_new_time,
        Mutant("functions/parts", {r"SELECT h.materialized INTO": "SELECT h.announced INTO"}),
    ),
    ("functions as they are", asked_during_stale_time, None),
    (
        "stale days are forgotten before their refresh",
        asked_during_stale_time,
        Mutant(
            "functions/refresh", {r"RAISE LOG": "DELETE FROM core.stale_day WHERE claimed = version; COMMIT; RAISE LOG"}
        ),
    ),
    ("functions as they are", written_during_new_time, None),
    (
        "writers mark below the old horizon only",
        written_during_new_time,
        Mutant("functions/mark_stale", {r"SELECT announced FROM": "SELECT materialized FROM"}),
    ),
    ("functions as they are", written_during_stale_time, None),
    (
        "stale days are forgotten whatever their version",
        written_during_stale_time,
        Mutant("functions/refresh", {r" AND claimed = version(?=;|\s+FOR UPDATE)": ""}),
    ),
    ("functions as they are", written_to_a_marked_day, None),
    (
        "the refresh of stale days does not wait for writers",
        written_to_a_marked_day,
        Mutant("functions/refresh", {r"PERFORM pg_catalog.pg_advisory_xact_lock\([^;]*;(?=\s+COMMIT)": ""}),
    ),
    ("functions as they are", event_over_an_announcement, None),
    (
        "write_events does not hold the horizon",
        event_over_an_announcement,
        Mutant("functions/write_events", {r"PERFORM api.hold_horizon\(\);": ""}),
    ),
    ("functions as they are", event_during_stale_time, None),
    (
        "stale event days are forgotten whatever their version",
        event_during_stale_time,
        Mutant("functions/refresh_stale_events", {r" AND claimed = version(?=;|\s+FOR UPDATE)": ""}),
    ),
    ("functions as they are", erased_during_a_refresh, None),
    (
        "an erasure does not wait for the refresh",
        erased_during_a_refresh,
        Mutant("functions/erase_user", {r"PERFORM api.hold_refresh\(\);": ""}),
    ),
    (
        "an erasure leaves the minutes of devices",
        erased_during_a_refresh,
        Mutant("functions/erase_user", {r"\(1, 'device_1m'\), ": ""}),
    ),
    ("functions as they are", written_over_an_erasure, None),
    (
        "an erasure does not wait for writers",
        written_over_an_erasure,
        Mutant("functions/erase_user", {r"PERFORM pg_advisory_xact_lock[^;]*;": ""}),
    ),
    ("functions as they are", moved_over_an_erasure, None),
    (
        "an UPDATE brings back what is gone",
        moved_over_an_erasure,
        Mutant("functions/write_reading_row", {r"IF NOT FOUND THEN": "IF false THEN"}),
    ),
    ("functions as they are", asked_during_an_erasure, None),
    ("functions as they are", torn_summary, None),
    ("a summary in two snapshots", torn_summary, Mutant("functions/rows", {STABLE: "LANGUAGE plpgsql VOLATILE"})),
    ("functions as they are", torn_series, None),
    ("a series in two snapshots", torn_series, Mutant("functions/rows", {STABLE: "LANGUAGE plpgsql VOLATILE"})),
]


def named(cases: list[tuple[str, Scenario, Mutant | None]]) -> Any:
    return pytest.mark.parametrize(
        ("scenario", "mutant"),
        [pytest.param(scenario, mutant, id=f"{scenario.__name__}-{name}") for name, scenario, mutant in cases],
    )


@pytest.fixture
def stage(calm: psycopg.Connection[Any], database_url: str) -> Iterator[Stage]:
    door.place_horizon(calm, BEFORE)
    with ExitStack() as exits:
        yield Stage(calm, database_url, exits)


def judge(stage: Stage, scenario: Scenario, mutant: Mutant | None) -> None:
    if mutant is None:
        assert scenario(stage) == []
        return
    install(stage.db, mutant.text())
    try:
        assert scenario(stage) != [], "nobody noticed"
    finally:
        install(stage.db, script(mutant.name))


@named(ALONE)
def test_alone(stage: Stage, scenario: Scenario, mutant: Mutant | None) -> None:
    judge(stage, scenario, mutant)


@pytest.mark.native
@named(TOGETHER)
def test_together(stage: Stage, scenario: Scenario, mutant: Mutant | None) -> None:
    judge(stage, scenario, mutant)


@pytest.mark.native
def test_a_priority_that_commits_after_its_readings_were_refreshed(stage: Stage) -> None:
    """A priority changes, unseen yet; a reading that the change did not see is written and refreshed meanwhile."""
    stage.write(beat("watch", NOON - DAY, 100), beat("phone", NOON - DAY, 7))
    owner = stage.connect()
    items = [beat("watch", NOON, 100), beat("phone", NOON + 1, 7)]
    with owner.transaction():
        with stage.stopped_at("user_1d"):
            refresh = stage.act(lambda db: door.refresh(db, NOON + 2 * DAY))
            door.set_priority(owner, "default", "phone", 1)
            writer = stage.act(lambda db: door.write(db, items))
        stage.settle(refresh)
    writer.end()
    refresh.end()
    stage.model.set_priority("default", "phone", 1)
    stage.model.write(items)
    assert stage.wrong() == []
    door.refresh(stage.db, NOON + 2 * DAY)
    assert stage.wrong() == []


@pytest.mark.native
def test_a_refresh_does_not_wait_for_stale_days_in_another_order_than_writers(stage: Stage) -> None:
    """A writer touches two stale days one after the other while a refresh claims them."""
    door.refresh(stage.db, NOON + 2 * DAY)
    stage.write(beat("watch", NOON, 100))
    stage.write(beat("watch", NOON + DAY, 110))
    late = [beat("watch", NOON + DAY + MINUTE, 3), beat("watch", NOON + MINUTE, 5)]
    writer = stage.connect()
    with writer.transaction():
        door.write(writer, late[:1])
        refresh = stage.act(lambda db: door.refresh(db, NOON + 2 * DAY))
        door.write(writer, late[1:])
    refresh.end()
    stage.model.write(late)
    assert stage.wrong() == []


@pytest.mark.native
@pytest.mark.parametrize("level", ["device_1m", "user_1m", "user_15m", "user_1h", "user_1d"])
@pytest.mark.parametrize("late", [False, True], ids=["new time", "stale time"])
@pytest.mark.parametrize("end", ["pg_terminate_backend", "pg_cancel_backend"])
def test_a_refresh_that_is_killed_is_picked_up_again(stage: Stage, level: str, late: bool, end: str) -> None:
    if late:
        door.refresh(stage.db, NOON + DAY)
    stage.write(beat("watch", NOON, 100), beat("phone", NOON + 1, 7))
    with stage.stopped_at(level):
        refresh = stage.act(lambda db: door.refresh(db, NOON + 2 * DAY))
        assert refresh.thread.is_alive()
        stage.db.execute(f"SELECT {end}(%s)", [refresh.connection.info.backend_pid])
        with pytest.raises(psycopg.OperationalError):
            refresh.end()
    assert stage.wrong() == []
    stage.write(beat("watch", NOON + MINUTE, 3))
    door.set_priority(stage.db, "default", "phone", 1)
    stage.model.set_priority("default", "phone", 1)
    assert stage.wrong() == []
    door.refresh(stage.db, NOON + 2 * DAY)
    assert (door.horizon(stage.db), door.stale_days(stage.db)) == (NOON + 2 * DAY, 0), "another refresh did not go on"
    assert stage.wrong() == []
    assert door.sources(stage.db, *RANGE[:2], NOON - 12 * HOUR, NOON + 12 * HOUR) == {"1d"}


@pytest.mark.native
def test_a_question_that_meets_an_erasure(stage: Stage) -> None:
    """Ada is erased, compressed readings and all, after a question has found out where to look."""
    stage.write(beat("watch", NOON, 100))
    door.refresh(stage.db, NOON + 2 * DAY)
    stage.write(beat("watch", NOON - DAY, 200))
    stage.db.execute("SELECT compress_chunk(c) FROM show_chunks('core.reading') AS c")
    before = stage.model.summary(*RANGE)
    with stage.stopped_at("user_1d", "ACCESS EXCLUSIVE"):
        question = stage.act(lambda db: door.summary(db, *RANGE))
        erasure = stage.act(erase)
    assert erasure.end() == 2
    assert question.end() == before
    assert gone(stage) == []


@pytest.mark.native
def test_a_refresh_that_failed_holds_no_erasure_up(stage: Stage) -> None:
    """Its session keeps the lock until it ends, idle."""
    stage.write(beat("watch", NOON, 100))
    assert stage.connect().execute("SELECT api.try_lock('refresh')").fetchone() == (1,)
    assert stage.act(erase).end() == 1
    assert gone(stage) == []


@pytest.mark.native
def test_two_erasures_at_once_are_one(stage: Stage) -> None:
    stage.write(beat("watch", NOON, 100))
    owner = stage.connect()
    with owner.transaction():
        assert erase(owner) == 1
        other = stage.act(erase)
        third = stage.act(lambda db: door.erase(db, "default", "nobody"))
        assert third.end() == 0, "who is unknown waits for nobody"
    assert other.end() == 0
    assert gone(stage) == []


@pytest.mark.native
def test_no_refresh_begins_during_an_erasure(stage: Stage) -> None:
    stage.write(beat("watch", NOON, 100))
    owner = stage.connect()
    with owner.transaction():
        erase(owner)
        stage.act(lambda db: door.refresh(db, NOON + DAY)).end()
        assert door.horizon(stage.db) == BEFORE
    door.refresh(stage.db, NOON + DAY)
    assert door.horizon(stage.db) == NOON + DAY
    assert gone(stage) == []


@pytest.mark.native
def test_a_question_that_meets_compression(stage: Stage) -> None:
    """A chunk is compressed after a question has taken its snapshot, and before it reads the chunk."""
    stage.write(beat("watch", NOON, 100))
    door.refresh(stage.db, NOON + 2 * DAY)
    stage.write(beat("watch", NOON - DAY, 200), beat("watch", NOON + MINUTE, 3))
    with stage.stopped_at("user_1d", "ACCESS EXCLUSIVE"):
        question = stage.act(lambda db: door.summary(db, *RANGE))
        upkeep = stage.act(lambda db: db.execute("SELECT compress_chunk(c) FROM show_chunks('core.reading') AS c"))
    upkeep.end()
    assert question.end() == stage.model.summary(*RANGE)
    assert stage.wrong() == []


@pytest.mark.native
def test_a_question_that_meets_a_write_and_its_compression(stage: Stage) -> None:
    """The same, with a write to the chunk and to a rolled-up day in between: both are seen, or neither."""
    stage.write(beat("watch", NOON, 100))
    door.refresh(stage.db, NOON + 2 * DAY)
    stage.write(beat("watch", NOON - DAY, 200))
    before = stage.model.summary(*RANGE)
    with stage.stopped_at("user_1d", "ACCESS EXCLUSIVE"):
        question = stage.act(lambda db: door.summary(db, *RANGE))
        stage.write(beat("watch", NOON - DAY + MINUTE, 3), beat("watch", NOON + MINUTE, 5))
        upkeep = stage.act(lambda db: db.execute("CALL api.upkeep()"))
    upkeep.end()
    assert question.end() in (before, stage.model.summary(*RANGE))


def test_rollups_answer_beyond_raw_retention(stage: Stage) -> None:
    """Raw readings may go, rollups stay: a series still tells of them, as a summary does."""
    stage.write(beat("watch", NOON, 100), beat("watch", NOON + HOUR, 3))
    door.refresh(stage.db, NOON + 2 * DAY)
    stage.db.execute("UPDATE core.setting SET value = '30 days' WHERE name = 'raw_retention'")
    found = stage.wrong()
    stage.db.execute("CALL api.upkeep()")
    day = ("default", "ada", NOON - 12 * HOUR, NOON + 12 * HOUR)
    assert stage.db.execute("SELECT count(*) FROM core.reading").fetchone() == (0,)
    assert door.summary(stage.db, *day) == stage.model.summary(*day)
    assert door.series(stage.db, *day, "1h", "UTC")[0] == stage.model.series(*day, "1h", "UTC")
    assert door.vitals(stage.db, *day, "1d") == stage.model.vitals(*day, "1d")
    assert found == []
