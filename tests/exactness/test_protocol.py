"""Each step of the protocol is needed: without it some answer is wrong, and a scenario here notices.

A mutant is a function or view of sql/ with one step taken out. Each scenario finds nothing wrong in the functions
as they are, and something in every mutant that it is named with.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import pytest

from tests.exactness.scenarios import (
    Scenario,
    a_device_comes,
    a_device_leaves,
    an_older_snapshot,
    announced_only,
    asked_before_new_time_is_marked,
    asked_during_an_erasure,
    asked_during_new_time,
    asked_during_stale_time,
    dropped_while_written_to,
    emptied,
    erased_during_a_piece,
    erased_during_a_refresh,
    erased_while_new_time_is_marked,
    event_during_stale_time,
    event_over_an_announcement,
    horizon_within_a_day,
    late_event,
    late_reading,
    late_reading_beside_others,
    more_users_than_a_piece,
    moved_over_an_erasure,
    new_priority,
    one_of_three_devices_leaves,
    priority_before_a_piece,
    priority_during_a_piece,
    priority_of_other_quarters,
    priority_over_an_announcement,
    priority_where_raw_is_gone,
    raw_above_the_horizon,
    raw_dropped,
    raw_of_a_stale_day,
    refreshed_again,
    refreshed_during_an_erasure,
    refreshed_over_a_priority,
    rolled_up_above_the_horizon,
    silent_before_the_end,
    torn_series,
    torn_summary,
    untouched_quarters,
    write_over_an_announcement,
    written_after_new_time_was_marked,
    written_during_new_time,
    written_during_stale_time,
    written_over_an_erasure,
    written_to_a_marked_day,
)
from tests.support.interleaving import Stage, install, script


@dataclass(frozen=True)
class Mutant:
    """A file of sql/, and the regular expressions whose matches are replaced in it, each once; and others beside it."""

    name: str
    changes: dict[str, str]
    beside: tuple[Mutant, ...] = ()

    def text(self) -> str:
        text = script(self.name)
        for pattern, replacement in self.changes.items():
            text, times = re.subn(pattern, replacement, text, flags=re.DOTALL)
            assert times == 1, f"{pattern} is {times} times in {self.name}: fit the mutant to the file again"
        return text


STABLE = r"LANGUAGE plpgsql STABLE"
REFRESHERS = r"LOCK TABLE core.refresh_lock IN EXCLUSIVE MODE;"
WRITERS = r"LOCK TABLE core.horizon_lock IN EXCLUSIVE MODE;"
SHARED = r"LOCK TABLE core.horizon_lock IN ROW SHARE MODE;"
STALE_ROW = r"WHERE s.user_key = u.user_key(?=\s+AND s.day = public.time_bucket\(INTERVAL '24 hours', {}\.bucket\))"
OUTER = r"AND r.bucket < \(SELECT public.time_bucket\(INTERVAL '[^']*', materialized\) FROM core.horizon\)"
CHANGED = r"(?:(?<=excluded.worn_minutes)|(?<=excluded.resting_heart_rate))(\s+)WHERE t IS DISTINCT FROM excluded"
ANOTHER_MARK = """
    SELECT FROM core.stale_day AS x
     WHERE x.user_key = c.user_key AND x.day = public.time_bucket(INTERVAL '24 hours', c.ts)
"""
EVERY_READING = """
  FROM core.reading AS x,
       LATERAL (SELECT x.user_key, x.ts AS bucket, x.steps, x.calories,
                       (x.heart_rate IS NOT NULL)::int AS heart_rate_count) AS r
 WHERE x.device_key ="""
GONE = r"WHERE g.device_key = 0(?= AND t.user_key = g.user_key)"
DEVICE_GONE = r"WHERE (?=t.user_key = g.user_key AND t.bucket = g.bucket AND t.device_key = g.device_key)"
ANNOUNCEMENT = r"IF NOT api_internal.try_share_refresh.*?END IF;"
HEEDLESS = "PERFORM api_internal.try_share_refresh();"
PATIENT = "LOCK TABLE core.refresh_lock IN ROW SHARE MODE;"
PIECE = r"IF NOT api_internal.try_share_refresh\(\) THEN.*?END IF;"
DEVICE_CHANGED = r"(?<=steps = excluded.steps)(\s+)WHERE t IS DISTINCT FROM excluded"


ALONE: list[tuple[Scenario, list[tuple[str, Mutant]]]] = [
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
                    {r"WHERE s.day = after_day": "WHERE false", r"WHERE s.day < after_day": "WHERE false"},
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
        emptied,
        [
            (
                "quarters that are gone are left",
                Mutant("roll_up_quarters", {GONE: "WHERE false"}),
            ),
            (
                "quarters of devices that are gone are left",
                Mutant("roll_up_quarters", {DEVICE_GONE: "WHERE false AND "}),
            ),
            (
                "hours and days that are gone are left",
                Mutant("roll_up_levels", {GONE: "WHERE false"}),
            ),
            (
                "hours and days of devices that are gone are left",
                Mutant("roll_up_levels", {DEVICE_GONE: "WHERE false AND "}),
            ),
        ],
    ),
    (
        a_device_leaves,
        [
            (
                "quarters of the device that is alone now are left",
                Mutant("roll_up_quarters", {r"(?<=OR )NOT EXISTS \(SELECT FROM met": r"false AND \g<0>"}),
            ),
            (
                "quarters of a device alone are left",
                Mutant("roll_up_quarters", {DEVICE_GONE: "WHERE false AND "}),
            ),
            (
                "hours and days of a device alone are left",
                Mutant("roll_up_levels", {DEVICE_GONE: "WHERE false AND "}),
            ),
            (
                "who was alone is not corrected",
                Mutant("roll_up_quarters", {r", sole_device = excluded.sole_device": ""}),
            ),
            (
                "who was alone in an hour is not corrected",
                Mutant("roll_up_levels", {r", sole_device = excluded.sole_device": ""}),
            ),
        ],
    ),
    (
        one_of_three_devices_leaves,
        [
            (
                "quarters of a device that is gone are left where others met",
                Mutant(
                    "roll_up_quarters",
                    {r"NOT EXISTS \(SELECT FROM by_device(?=[^)]*device_key\))": r"false AND \g<0>"},
                ),
            ),
            (
                "hours and days of a device that is gone are left where others met",
                Mutant("roll_up_levels", {r"HAVING NOT bool_or\(k.is_kept\)": r"\g<0> AND k.device_key = 0"}),
            ),
        ],
    ),
    (
        a_device_comes,
        [
            (
                "who was alone is not corrected where another device comes",
                Mutant("roll_up_meetings", {r", sole_device = excluded.sole_device": ""}),
            ),
            (
                "devices that meet have no hours",
                Mutant("roll_up_levels", {r"AND c.sole_device IS NULL": "AND false"}),
            ),
            (
                "devices that were alone in a quarter have no hours",
                Mutant("roll_up_levels", {r"AND q.sole_device IS NOT NULL": "AND false"}),
            ),
            (
                "a device's row is looked for among its own only",
                Mutant("device_rows", {r"AND u.sole_device = \$2": "AND false"}),
            ),
            (
                "a device's row is looked for among the user's only",
                Mutant("device_rows", {r"AND d.device_key = \$2": "AND false"}),
            ),
        ],
    ),
    (
        refreshed_again,
        [
            ("quarters are written again", Mutant("roll_up_quarters", {CHANGED: ""})),
            ("quarters in which devices met are written again", Mutant("roll_up_meetings", {CHANGED: ""})),
            ("quarters of devices are written again", Mutant("roll_up_meetings", {DEVICE_CHANGED: ""})),
            ("hours and days are written again", Mutant("roll_up_levels", {CHANGED: ""})),
            ("hours and days of devices are written again", Mutant("roll_up_levels", {DEVICE_CHANGED: ""})),
        ],
    ),
    (
        more_users_than_a_piece,
        [
            (
                "the users after those of a piece are passed over",
                Mutant("refresh_users", {r"WHERE s.day = after_day": "WHERE false"}),
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
    (
        late_event,
        [
            (
                "no event is marked",
                Mutant("mark_stale_events", {r"WHERE c.ts < ": "WHERE false AND c.ts < "}),
            ),
            (
                "counts ignore stale days",
                Mutant("count_events", {r"WHERE s.tenant_key = ": "WHERE false AND s.tenant_key = "}),
            ),
            (
                "no stale event day is claimed",
                Mutant("refresh_stale_events", {r"WHERE claimed IS DISTINCT FROM version": "WHERE false"}),
            ),
            (
                "stale event days are forgotten",
                Mutant("refresh_stale_events", {r"CALL api_internal.refresh_events[^;]*;": ""}),
            ),
        ],
    ),
    (
        new_priority,
        [
            (
                "a new priority marks nothing",
                Mutant("set_device", {r"IF \(after.priority,": "IF false AND (after.priority,"}),
            ),
            (
                "it is not known where devices met",
                Mutant("roll_up_meetings", {r"FROM by_device AS b(?=\s+ORDER)": r"\g<0> WHERE false"}),
            ),
        ],
    ),
    (
        priority_of_other_quarters,
        [
            (
                "a new priority marks all that a device measured",
                Mutant(
                    "set_device",
                    {r"FROM rollup.device_15m AS r\s+WHERE r.device_key =": EVERY_READING},
                ),
            )
        ],
    ),
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
    (
        raw_dropped,
        [
            (
                "it is forgotten how far raw was dropped",
                Mutant("drop_raw", {r"UPDATE core.horizon SET raw_from[^;]*;": ""}),
            ),
            (
                "the door forgets how far raw was dropped",
                Mutant("timestamp_bounds", {r",\s+\(SELECT h.raw_from FROM core.horizon AS h\)": ""}),
            ),
            (
                "a reading that comes in spite of that has its day computed from it alone",
                Mutant("mark_stale", {r"IF dropped IS NOT NULL THEN": "IF false THEN"}),
            ),
            ("last values are not kept", Mutant("drop_raw", {r"WHERE m.ts IS NOT NULL": "WHERE false"})),
            (
                "worn devices are looked for in raw only",
                Mutant("worn_devices", {r"range_start, range_end\) AS p": "range_start, range_end, 'raw') AS p"}),
            ),
        ],
    ),
    (
        raw_of_a_stale_day,
        [
            (
                "raw goes under a stale day",
                Mutant(
                    "drop_raw",
                    {r"IF \(SELECT min\(s\.day\) FROM core\.stale_day AS s\) < range_end": "IF false"},
                ),
            )
        ],
    ),
    (
        priority_where_raw_is_gone,
        [
            (
                "a new priority marks what cannot be computed again",
                Mutant("set_device", {r"AND r.bucket >= \(SELECT raw_from FROM core.horizon\)": ""}),
            )
        ],
    ),
    (
        raw_above_the_horizon,
        [],
    ),
]
TOGETHER: list[tuple[Scenario, list[tuple[str, Mutant]]]] = [
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
        priority_over_an_announcement,
        [
            (
                "set_device lets refreshers and announcements pass",
                Mutant("set_device", {REFRESHERS: "", WRITERS: ""}, (Mutant("hold_horizon", {SHARED: ""}),)),
            )
        ],
    ),
    (
        priority_before_a_piece,
        [
            ("set_device does not wait for refreshers", Mutant("set_device", {REFRESHERS: ""})),
            (
                "a piece does not say that it is under way",
                Mutant("refresh_users", {PIECE: ""}),
            ),
            ("a piece does not leave while a priority changes", Mutant("refresh_users", {PIECE: HEEDLESS})),
        ],
    ),
    (
        refreshed_over_a_priority,
        [
            ("a piece waits while a priority changes", Mutant("refresh_users", {PIECE: PATIENT})),
            (
                "the announcement does not leave while a priority changes",
                Mutant("advance_horizon", {ANNOUNCEMENT: ""}),
            ),
        ],
    ),
    (
        priority_during_a_piece,
        [
            ("set_device does not wait for refreshers", Mutant("set_device", {REFRESHERS: ""})),
            (
                "a piece does not say that it is under way",
                Mutant("refresh_users", {PIECE: ""}),
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
    (asked_during_stale_time, []),
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
    (
        an_older_snapshot,
        [
            (
                "a piece does not lock its users",
                Mutant("refresh_users", {r"FOR NO KEY UPDATE SKIP LOCKED": ""}),
            )
        ],
    ),
    (
        event_over_an_announcement,
        [
            (
                "write_events does not hold the horizon",
                Mutant("write_events", {r"PERFORM api_internal.require_open\(tenant_ids\);": ""}),
            )
        ],
    ),
    (
        event_during_stale_time,
        [
            (
                "stale event days are forgotten whatever their version",
                Mutant("refresh_stale_events", {r" AND claimed = version(?=;|\s+FOR UPDATE)": ""}),
            )
        ],
    ),
    (
        erased_during_a_refresh,
        [("an erasure leaves the quarters of users", Mutant("erase_user", {r"'\{user_15m, ": "'{"}))],
    ),
    (
        erased_during_a_piece,
        [
            ("an erasure does not wait for refreshers", Mutant("erase_user", {REFRESHERS: ""})),
            (
                "a piece does not say that it is under way",
                Mutant("refresh_users", {PIECE: ""}),
            ),
        ],
    ),
    (
        erased_while_new_time_is_marked,
        [
            ("an erasure does not wait for refreshers", Mutant("erase_user", {REFRESHERS: ""})),
            (
                "new time is marked without saying so",
                Mutant("advance_horizon", {r"EXIT WHEN NOT api_internal.try_share_refresh[^;]*;": ""}),
            ),
        ],
    ),
    (
        refreshed_during_an_erasure,
        [("a piece does not leave while someone is erased", Mutant("refresh_users", {PIECE: HEEDLESS}))],
    ),
    (
        written_over_an_erasure,
        [("an erasure does not wait for writers", Mutant("erase_user", {WRITERS: ""}))],
    ),
    (
        moved_over_an_erasure,
        [
            (
                "an UPDATE brings back what is gone",
                Mutant("write_reading_row", {r"IF NOT FOUND THEN": "IF false THEN"}),
            )
        ],
    ),
    (asked_during_an_erasure, []),
    (torn_summary, [("a summary in two snapshots", Mutant("rows", {STABLE: "LANGUAGE plpgsql VOLATILE"}))]),
    (torn_series, [("a series in two snapshots", Mutant("rows", {STABLE: "LANGUAGE plpgsql VOLATILE"}))]),
    (dropped_while_written_to, [("retention does not wait for writers", Mutant("drop_raw", {WRITERS: ""}))]),
]


def named(cases: list[tuple[Scenario, list[tuple[str, Mutant]]]]) -> Any:
    return pytest.mark.parametrize(
        ("scenario", "mutant"),
        [
            pytest.param(scenario, mutant, id=f"{scenario.__name__}-{name}")
            for scenario, mutants in cases
            for name, mutant in [("functions as they are", None), *mutants]
        ],
    )


def judge(stage: Stage, scenario: Scenario, mutant: Mutant | None) -> None:
    if mutant is None:
        assert scenario(stage) == []
        return
    parts = (mutant, *mutant.beside)
    try:
        for part in parts:
            install(stage.db, part.text())
        assert scenario(stage) != [], "nobody noticed"
    finally:
        for part in parts:
            install(stage.db, script(part.name))


@named(ALONE)
def test_alone(stage: Stage, scenario: Scenario, mutant: Mutant | None) -> None:
    judge(stage, scenario, mutant)


@pytest.mark.native
@named(TOGETHER)
def test_together(stage: Stage, scenario: Scenario, mutant: Mutant | None) -> None:
    judge(stage, scenario, mutant)
