"""Late readings: what is marked is read raw, until a piece of a refresh has rolled it up."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from tests.exactness.protocol.acts import ended, refreshed, roll_up_what_is_before
from tests.exactness.protocol.mutants import Cases, Mutant, Scenario, judge, named
from tests.support import sql_client
from tests.support.interleaving import NOON, Stage, beat
from tests.support.moments import DAY, HOUR, MINUTE
from tests.support.stored import Item

STALE_ROW = r"WHERE s.user_key = u.user_key(?=\s+AND s.day = public.time_bucket\(INTERVAL '24 hours', {}\.bucket\))"
ANOTHER_MARK = """
    SELECT FROM core.stale_day AS x
     WHERE x.user_key = c.user_key AND x.day = public.time_bucket(INTERVAL '24 hours', c.ts)
"""


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


def asked_during_stale_time(stage: Stage) -> list[str]:
    """Somebody asks while a refresh of a stale day stands still before the last level."""
    sql_client.refresh(stage.db, NOON + 2 * DAY)
    stage.write(beat("watch", NOON, 100))
    with stage.stopped_at("user_1d"):
        refresh = stage.act(lambda db: sql_client.refresh(db, NOON + 2 * DAY))
        found = stage.wrong()
    refresh.end()
    return found + stage.wrong()


def written_during_stale_time(stage: Stage) -> list[str]:
    """Somebody writes to a stale day where its refresh has read already."""
    roll_up_what_is_before(stage)
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


ALONE: Cases = [
    (
        late_reading,
        [
            (
                "nothing is marked stale",
                Mutant("mark_stale", {r"WHERE c.ts < horizon.announced": "WHERE false"}),
            ),
            (
                "the router ignores marks",
                Mutant("route_range", {r"WHERE s.user_key = ": "WHERE false AND s.user_key = "}),
            ),
            (
                "the router takes a bucket with a stale quarter in it",
                Mutant(
                    "route_range",
                    {r"SELECT taken - range_agg\(.*?\)\)\)\s+INTO": "SELECT taken - range_agg(r.range) INTO"},
                ),
            ),
            (
                "nothing is taken",
                Mutant(
                    "refresh_users",
                    {
                        r"WHERE s.version > 0 AND s.day = after_day": "WHERE false",
                        r"WHERE s.version > 0 AND s.day < after_day": "WHERE false",
                    },
                ),
            ),
            (
                "marks are deleted, and nothing rolled up",
                Mutant("refresh_users", {r"PERFORM api_internal.roll_up\([^;]*;": ""}),
            ),
            ("quarters are left out", Mutant("roll_up", {r"PERFORM api_internal.roll_up_quarters[^;]*;": ""})),
            ("hours are left out", Mutant("roll_up", {r"PERFORM api_internal.roll_up_1h\([^;]*;": ""})),
            ("days are left out", Mutant("roll_up", {r"PERFORM api_internal.roll_up_1d\([^;]*;": ""})),
            (
                "the day before its hours",
                Mutant("roll_up", {r"(IF hours.user_keys.*?END IF;)(\s+)(IF day \+.*?END IF;)": r"\3\2\1"}),
            ),
            ("stale quarters are none", Mutant("stale_quarters", {r"WHERE get_bit": "WHERE false AND get_bit"})),
            (
                "vitals_15m ignores marks",
                Mutant("vitals_15m", {r"WHERE s.user_key = u.user_key": "WHERE false AND s.user_key = u.user_key"}),
            ),
            (
                "vitals_1h ignores marks",
                Mutant(
                    "vitals_1h",
                    {STALE_ROW.format("r"): "WHERE false AND s.user_key = u.user_key"},
                ),
            ),
            (
                "vitals_1d ignores marks",
                Mutant(
                    "vitals_1d",
                    {r"WHERE s.user_key = u.user_key(?= AND s.day = r)": "WHERE false AND s.user_key = u.user_key"},
                ),
            ),
            (
                "vitals_1h counts stale quarters twice",
                Mutant(
                    "vitals_1h",
                    {STALE_ROW.format("q"): "WHERE false AND s.user_key = u.user_key"},
                ),
            ),
            (
                "vitals_1d counts stale quarters twice",
                Mutant(
                    "vitals_1d",
                    {STALE_ROW.format("q"): "WHERE false AND s.user_key = u.user_key"},
                ),
            ),
            (
                "raw_quarters leaves stale quarters out",
                Mutant("raw_quarters", {r"FROM api_internal.stale_quarters AS s": r"\g<0> WHERE false"}),
            ),
            ("last seen ignores marks", Mutant("seen_users", {r"IF first_day IS NOT NULL": "IF false"})),
        ],
    ),
    (
        late_reading_beside_others,
        [
            (
                "vitals_1h leaves out what is beside a stale quarter",
                Mutant(
                    "vitals_1h",
                    {r"WHERE s.user_key = u.user_key(?=\) AS x)": "WHERE false AND s.user_key = u.user_key"},
                ),
            ),
            (
                "vitals_1d leaves out what is beside a stale quarter",
                Mutant(
                    "vitals_1d",
                    {r"WHERE s.user_key = u.user_key(?= AND s.quarters [^)]*\)\) AS x)": "WHERE false"},
                ),
            ),
            (
                "the router takes stale quarters for stale hours",
                Mutant("quarter_ranges", {r"\(q \+ 1\) \* ": "q * "}),
            ),
        ],
    ),
    (
        more_users_than_a_piece,
        [
            (
                "the users after those of a piece are passed over",
                Mutant("refresh_users", {r"WHERE s.version > 0 AND s.day = after_day": "WHERE false"}),
            )
        ],
    ),
    (
        untouched_quarters,
        [
            (
                "a mark names the whole day",
                Mutant("mark_stale", {r"bit_or\(set_bit\(.*?, 1\)\)": "~ B'0'::bit(96)"}),
            ),
            (
                "all quarters of a day are rolled up",
                Mutant("refresh_users", {r"bit_or\(s.quarters\)": "~ B'0'::bit(96)"}),
            ),
        ],
    ),
]
TOGETHER: Cases = [
    (asked_during_stale_time, []),
    (
        written_during_stale_time,
        [
            (
                "marks are deleted that were not read",
                Mutant(
                    "refresh_users",
                    {r"s.ctid = ANY \(marks.rows\)": "s.day = refresh_users.day AND s.user_key = ANY (ours)"},
                ),
            ),
            (
                "marks are read after the readings",
                Mutant(
                    "refresh_users",
                    {r"(SELECT array_agg\(s.user_key\) AS [^;]*;)(.*?PERFORM api_internal.roll_up[^;]*;)": r"\1\2\1"},
                ),
            ),
        ],
    ),
    (
        written_to_a_marked_day,
        [
            (
                "what is marked is not marked once more",
                Mutant(
                    "mark_stale",
                    {r"WHERE c.ts < horizon": f"WHERE NOT EXISTS ({ANOTHER_MARK}) AND c.ts < horizon"},
                ),
            )
        ],
    ),
    (
        an_older_snapshot,
        [
            (
                "a piece does not lock its users",
                Mutant("refresh_users", {r"FOR NO KEY UPDATE SKIP LOCKED": ""}),
            )
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
