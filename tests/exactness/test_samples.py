"""Answers about samples equal brute force, whatever was written, deleted, ranked and refreshed before.

Each step of what stores, rolls up and answers is needed: without it a history notices. EXACTNESS_QUESTIONS and
EXACTNESS_SEED hold here, too.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import psycopg
import pytest

from tests.exactness.extent import EACH, FIRST, QUESTIONS
from tests.exactness.sample_histories import Storyteller
from tests.support.database import empty
from tests.support.interleaving import mutated

Change: TypeAlias = tuple[str, str, str]
"""A file of sql/, a regular expression that matches once in it, and what stands there in place of that."""
GONE = r"WHERE g.device_key = 0(?= AND t.user_key = g.user_key)"
DEVICE_GONE = r"WHERE (?=t.user_key = g.user_key AND t.metric_key = g.metric_key AND t.bucket = g.bucket AND t.device)"
LAST_OF_DEVICE = r"AND \(wanted_device IS NULL OR r.sole_device = wanted_device\)(?!.*wanted_device IS NULL OR)"
MEETINGS = r"RETURN QUERY SELECT \* FROM api_internal.sample_meetings[^;]*;"
MUTANTS: dict[str, Change] = {
    "nothing is marked stale": ("mark_samples", r"WHERE t.hour < horizon", "WHERE false"),
    "who has samples above the horizon is not noted": ("mark_samples", r"WHERE t.day \+ [^\n]*", "WHERE false"),
    "a user is noted for one day only": ("mark_samples", r"n.day = t.day AND ", ""),
    "new time is not marked": ("mark_new_time", r"WHERE x.user_key = s.user_key", "WHERE false"),
    "a day that ends is not marked for those who are silent": (
        "mark_new_time",
        r"CASE WHEN hours_to = day_end THEN day ELSE hours_from END",
        "hours_from",
    ),
    "only quarters are marked": ("mark_samples", r"B'1111'", "B'1000'"),
    "the router trusts an hour that has not ended": ("route_range", r"WHERE of_samples\n", "WHERE false\n"),
    "notes of a day are forgotten too early": ("mark_new_time", r"IF range_end = day_end THEN", "IF true THEN"),
    "marks are deleted, and nothing rolled up": ("refresh_users", r"PERFORM api_internal.roll_up_samples\([^;]*;", ""),
    "a user's first mark stands for all": (
        "refresh_users",
        r"bit_or\(s.sample_quarters\)",
        "min(s.sample_quarters::text)::bit(96)",
    ),
    "the router ignores marks": (
        "route_range",
        r"CASE WHEN of_samples THEN s.sample_quarters ELSE",
        "CASE WHEN of_samples THEN NULL ELSE",
    ),
    "the router reads the marks of readings": (
        "route_range",
        r"CASE WHEN of_samples THEN s.sample_quarters ELSE s.quarters END",
        "s.quarters",
    ),
    "a deletion marks nothing": ("delete_readings", r"PERFORM api_internal.mark_samples[^;]*;", ""),
    "a priority marks nothing": (
        "set_device",
        r"WHERE r.device_key = before.device_key(?= AND r.bucket >= \(SELECT samples_from FROM core.horizon\))",
        "WHERE false",
    ),
    "minutes ignore the priority of the metric": (
        "instant_buckets",
        r"ORDER BY b.user_key, b.metric_key, b.bucket, core.device_rank\(d.priority, d.metric_priorities,",
        "ORDER BY b.user_key, b.metric_key, b.bucket, core.device_rank(d.priority, NULL,",
    ),
    "buckets ignore the priority of the metric": (
        "instant_buckets",
        r"SELECT b\.\*, core.device_rank\(d.priority, d.metric_priorities,",
        "SELECT b.*, core.device_rank(d.priority, NULL,",
    ),
    "the latest sample ignores the priority of the metric": (
        "latest_of_samples",
        r"d.metric_priorities",
        "NULL",
    ),
    "hours are left out": ("roll_up_samples", r"PERFORM api_internal.roll_up_samples_1h\([^;]*;", ""),
    "days are left out": ("roll_up_samples", r"PERFORM api_internal.roll_up_samples_1d\([^;]*;", ""),
    "emptied quarters stay": ("roll_up_sample_quarters", GONE, "WHERE false"),
    "emptied hours and days stay": ("roll_up_sample_levels", GONE, "WHERE false"),
    "hours and days of devices that did not meet": (
        "roll_up_sample_levels",
        r"WHERE d.bucket = ANY \(m.buckets\)",
        "",
    ),
    "devices that no longer meet keep their rows": (
        "roll_up_sample_quarters",
        DEVICE_GONE,
        "WHERE false AND ",
    ),
    "the losing device counts": (
        "instant_buckets",
        r"WHERE r.meets AND r.minutes & r.taken = 0",
        "WHERE r.meets",
    ),
    "a device counts as a whole or not at all": (
        "instant_buckets",
        r"WHERE r.minutes & r.taken <> 0 AND r.minutes & ~r.taken <> 0",
        "WHERE false",
    ),
    "minutes that a better device has count too": ("instant_buckets", r"AND \(p.won >> [^\n]*", ""),
    "no device takes a minute": (
        "instant_buckets",
        r"coalesce\(bit_or\(m.minutes\) OVER .*?, 0\) AS taken",
        "0::bigint AS taken",
    ),
    "the winner is the only device": (
        "instant_buckets",
        r"THEN min\(c.device_key\) END, NULL",
        "THEN min(c.device_key) END, min(c.device_key)",
    ),
    "a device that met others is not found": ("sample_part_rows", MEETINGS, "NULL;"),
    "one device's rows of the user are all rows": ("sample_part_rows", LAST_OF_DEVICE, ""),
    "the cut hour is read whole": ("sample_local_days", r"AND \(cut_hour = part.midnight OR[^\n]*", ""),
    "metrics_15m ignores marks": ("metrics_15m", r"AND get_bit", "AND false AND get_bit"),
    "metrics_1h ignores marks": ("metrics_1h", r"AND substring", "AND false AND substring"),
    "metrics_1d ignores marks": ("metrics_1d", r"AND s.day = r.bucket", "AND false"),
    "the rest of a stale bucket is left out": ("unrolled_samples", r"SELECT \('15m'.*?UNION ALL", ""),
    "stale buckets are left out": (
        "unrolled_samples",
        r"FROM unnest\(raw\) AS r\), '\{\}'",
        "FROM unnest(raw) AS r LIMIT 0), '{}'",
    ),
    "what lies above the horizon is left out": ("unrolled_samples", r"CASE WHEN until > horizon", "CASE WHEN false"),
    "an erasure leaves notes": ("erase_user", r"DELETE FROM core.sample_day[^;]*;", ""),
}
# The history that notices a mutant earliest, by its seed; others are tried where that is no longer so.
NOTICING = {
    "nothing is marked stale": 1,
    "who has samples above the horizon is not noted": 1,
    "a user is noted for one day only": 4,
    "new time is not marked": 1,
    "a day that ends is not marked for those who are silent": 5,
    "only quarters are marked": 1,
    "the router trusts an hour that has not ended": 9,
    "notes of a day are forgotten too early": 5,
    "marks are deleted, and nothing rolled up": 1,
    "a user's first mark stands for all": 9,
    "the router ignores marks": 3,
    "the router reads the marks of readings": 3,
    "a deletion marks nothing": 5,
    "a priority marks nothing": 1,
    "minutes ignore the priority of the metric": 6,
    "the latest sample ignores the priority of the metric": 25,
    "hours are left out": 1,
    "days are left out": 1,
    "emptied quarters stay": 5,
    "emptied hours and days stay": 5,
    "hours and days of devices that did not meet": 4,
    "devices that no longer meet keep their rows": 1,
    "the losing device counts": 3,
    "a device counts as a whole or not at all": 3,
    "minutes that a better device has count too": 3,
    "no device takes a minute": 3,
    "the winner is the only device": 1,
    "a device that met others is not found": 1,
    "one device's rows of the user are all rows": 1,
    "the cut hour is read whole": 24,
    "metrics_15m ignores marks": 1,
    "metrics_1d ignores marks": 3,
    "the rest of a stale bucket is left out": 12,
    "stale buckets are left out": 12,
    "what lies above the horizon is left out": 2,
    "an erasure leaves notes": 3,
}


def differences(db: psycopg.Connection[Any], seed: int, steps: int) -> list[str]:
    """Tell a story up to the first answer that is wrong; return it."""
    for number, (got, right) in enumerate(Storyteller(db, seed).tell(steps)):
        if got != right:
            return [f"seed {seed}, step {number}\ngot      {got}\nexpected {right}"]
    return []


@pytest.mark.parametrize("seed", range(FIRST, FIRST + max(1, QUESTIONS // EACH)))
def test_answers_are_exact(calm: psycopg.Connection[Any], seed: int) -> None:
    assert differences(calm, seed, EACH) == []


@pytest.mark.parametrize("name", MUTANTS)
def test_random_histories_notice(calm: psycopg.Connection[Any], name: str) -> None:
    with mutated(calm, *MUTANTS[name]):
        for seed in (NOTICING.get(name, 0), *range(60)):
            if differences(calm, seed, 80):
                return
            empty(calm)
    pytest.fail("no answer was wrong")
