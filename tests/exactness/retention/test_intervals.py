"""What retention drops of intervals, worn windows and daily totals changes no answer that rollups give.

Each step of a drop is needed: without it a try notices.
"""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from tests.exactness.extent import FIRST, TRIES
from tests.exactness.retention.dropping import drop, kept_from
from tests.exactness.retention.tries import Tale
from tests.support import sql_client
from tests.support.interleaving import NOON, mutated
from tests.support.moments import DAY, HOUR, moment

FIRST_END, LAST_END = NOON - 36 * HOUR, NOON - 12 * HOUR
"""The midnights before which is dropped, one after the other."""
FEW = max(2, TRIES // 8)
MOST = 40
"""Tries in which a mutant must be noticed."""


def torn(db: psycopg.Connection[Any], seed: int) -> list[Any]:
    """Drop what a try sent, send more, and refresh; return what is answered otherwise than by brute force."""
    tale = Tale(db, seed)
    try:
        tale.send(-(2**62))
        tale.refresh()
        if found := tale.wrong():
            return ["before", *found]
        for end in (FIRST_END, LAST_END):
            # Readings go first, up to the same midnight.
            db.execute("SELECT api_internal.drop_raw(%s, %s)", [moment(end), moment(end + DAY)])
            if not drop(db, end):
                return ["nothing is dropped"]
            if found := tale.wrong():
                return [f"dropped before {end}", *found]
        tale.send(kept_from(db))
        if found := tale.wrong():
            return ["sent more", *found]
        tale.refresh()
        if found := tale.wrong() + sql_client.drift(db, NOON - 9 * DAY, NOON + 9 * DAY):
            return ["refreshed", *found]
    except psycopg.Error as error:
        return [error]
    return []


@pytest.mark.parametrize("seed", range(FIRST, FIRST + FEW))
def test_answers_of_intervals_stay_exact(daily: psycopg.Connection[Any], seed: int) -> None:
    assert torn(daily, seed) == []


MUTANTS = {
    "the bound is the end of what is dropped": ("drop_samples", r"range_end \+ INTERVAL '24 hours'", "range_end"),
    "last intervals are not kept": ("keep_values", r"s\.kind = 0 OFFSET 0", "false OFFSET 0"),
    "latest intervals are looked for among what is left": ("last_intervals", r"AND k\.is_interval", "AND false"),
    "worn windows go that are needed": (
        "keep_values",
        r"AND w\.ts < range_end",
        "AND w.ts < range_end + INTERVAL '48 hours'",
    ),
    "daily totals count where finer values are gone": (
        "counted_totals",
        r"t\.metric_key > 3 AND t\.ts",
        "false AND t.ts",
    ),
    "daily totals of a device count where its steps are gone": (
        "counted_totals",
        r"FROM rollup\.device_15m AS r\s+WHERE",
        "FROM rollup.device_15m AS r WHERE false AND",
    ),
    "daily totals of a device count where its samples are gone": (
        "counted_totals",
        r"FROM rollup\.sample_device_15m AS r\s+WHERE",
        "FROM rollup.sample_device_15m AS r WHERE false AND",
    ),
}


# A try that notices a mutant early; others are tried where that is no longer so.
NOTICING = {
    "last intervals are not kept": (1,),
    "latest intervals are looked for among what is left": (1,),
    "daily totals count where finer values are gone": (1,),
    "daily totals of a device count where its samples are gone": (4,),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_tries_of_intervals_notice(daily: psycopg.Connection[Any], name: str) -> None:
    with mutated(daily, *MUTANTS[name]):
        for seed in (*NOTICING.get(name, ()), *range(MOST)):
            if torn(daily, seed):
                return
    pytest.fail(f"no try notices that {name}")
