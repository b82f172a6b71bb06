"""The horizon: it is announced, new time is marked, and only then do readers trust it."""

from __future__ import annotations

import pytest

from tests.exactness.protocol.acts import STALE, ended, refreshed, roll_up_what_is_before
from tests.exactness.protocol.mutants import SHARED, WRITERS, Cases, Mutant, Scenario, judge, named
from tests.support import sql_client
from tests.support.interleaving import NOON, Stage, beat
from tests.support.moments import DAY, HOUR, MINUTE
from tests.support.stored import Item

OUTER = r"AND r.bucket < \(SELECT public.time_bucket\(INTERVAL '[^']*', materialized\) FROM core.horizon\)"


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


def asked_during_new_time(stage: Stage) -> list[str]:
    """Somebody asks while a refresh of new time stands still before the last level."""
    stage.write(beat("watch", NOON, 100))
    with stage.stopped_at("user_1d"):
        refresh = stage.act(lambda db: sql_client.refresh(db, NOON + 2 * DAY))
        found = stage.wrong()
    refresh.end()
    return found + stage.wrong()


def written_during_new_time(stage: Stage) -> list[str]:
    """Somebody writes where a refresh of new time has read already."""
    roll_up_what_is_before(stage)
    stage.write(beat("watch", NOON, 100))
    with stage.stopped_at("user_1d"):
        refresh = stage.act(lambda db: sql_client.refresh(db, NOON + 2 * DAY))
        stage.write(beat("watch", NOON + MINUTE, 3))
        found = stage.wrong()
    refresh.end()
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


ALONE: Cases = [
    (
        announced_only,
        [
            (
                "the router trusts the announced horizon",
                Mutant(
                    "route_range",
                    {
                        r"SELECT h.materialized FROM": "SELECT h.announced FROM",
                        r"tstzrange\(h.materialized": "tstzrange(h.announced",
                    },
                ),
            ),
            (
                "vitals trust the announced horizon",
                Mutant("raw_quarters", {r"h.materialized, n.recent_from": "h.announced, n.recent_from"}),
            ),
        ],
    ),
    (
        rolled_up_above_the_horizon,
        [
            (
                "vitals_15m reads above the horizon",
                Mutant("vitals_15m", {r"AND r.bucket < \(SELECT materialized FROM core.horizon\)": ""}),
            ),
            ("vitals_1h reads above the horizon", Mutant("vitals_1h", {OUTER: ""})),
            ("vitals_1d reads above the horizon", Mutant("vitals_1d", {OUTER: ""})),
            (
                "last seen reads above the horizon",
                Mutant(
                    "seen_users",
                    {r"AND r.bucket < %L\s": "AND r.bucket < %L::timestamptz + INTERVAL ''0'' AND false "},
                ),
            ),
        ],
    ),
    (
        horizon_within_a_day,
        [
            ("new time is not marked", Mutant("advance_horizon", {r"PERFORM api_internal.mark_new_time[^;]*;": ""})),
            (
                "vitals_1h forgets the hour that the horizon cuts",
                Mutant("vitals_1h", {r"FROM core.horizon AS h(?=\s+UNION)": "FROM core.horizon AS h WHERE false"}),
            ),
            (
                "vitals_1d forgets the day that the horizon cuts",
                Mutant("vitals_1d", {r"FROM core.horizon AS h(?=\s+UNION)": "FROM core.horizon AS h WHERE false"}),
            ),
        ],
    ),
    (
        silent_before_the_end,
        [
            (
                "only who has readings in new time is marked",
                Mutant(
                    "mark_new_time",
                    {r"since   CONSTANT timestamptz := .*?END;": "since CONSTANT timestamptz := range_start;"},
                ),
            ),
            (
                "hours that end are forgotten",
                Mutant(
                    "mark_new_time",
                    {r"WHEN public.time_bucket\(INTERVAL '1 hour', range_end\) > range_start": "WHEN false"},
                ),
            ),
            (
                "days that end are forgotten",
                Mutant("mark_new_time", {r"WHEN range_end = day_end THEN day": "WHEN false THEN day"}),
            ),
        ],
    ),
]
TOGETHER: Cases = [
    (
        write_over_an_announcement,
        [
            (
                "writers do not hold the horizon",
                Mutant("hold_horizon", {SHARED: ""}),
            ),
            (
                "writers by name do not hold the horizon",
                Mutant("require_open", {r"PERFORM api_internal.hold_horizon\(\);": ""}),
            ),
            (
                "the announcement does not wait for writers",
                Mutant("advance_horizon", {WRITERS: ""}),
            ),
        ],
    ),
    (
        asked_before_new_time_is_marked,
        [
            (
                "the horizon moves before new time is marked",
                Mutant(
                    "advance_horizon",
                    {
                        r"PERFORM api_internal.mark_new_time": (
                            r"UPDATE core.horizon SET materialized = part_end; COMMIT; \g<0>"
                        )
                    },
                ),
            ),
            (
                "the router trusts the announced horizon",
                Mutant(
                    "route_range",
                    {
                        r"SELECT h.materialized FROM": "SELECT h.announced FROM",
                        r"tstzrange\(h.materialized": "tstzrange(h.announced",
                    },
                ),
            ),
        ],
    ),
    (asked_during_new_time, []),
    (
        written_during_new_time,
        [
            (
                "marks are deleted that were not read",
                Mutant(
                    "refresh_users",
                    {r"s.ctid = ANY \(marks.rows\)": "s.day = refresh_users.day AND s.user_key = ANY (ours)"},
                ),
            )
        ],
    ),
    (
        written_after_new_time_was_marked,
        [
            (
                "writers mark below the old horizon only",
                Mutant("mark_stale", {r"c.ts < horizon.announced": "c.ts < horizon.materialized"}),
            ),
            (
                "hours and days wait for the trusted horizon",
                Mutant("roll_up", {r"SELECT h.announced FROM": "SELECT h.materialized FROM"}),
            ),
        ],
    ),
]


@named(ALONE)
def test_alone(stage: Stage, scenario: Scenario, mutant: Mutant | None) -> None:
    judge(stage, scenario, mutant)


@pytest.mark.native
@named(TOGETHER)
def test_together(stage: Stage, scenario: Scenario, mutant: Mutant | None) -> None:
    judge(stage, scenario, mutant)
