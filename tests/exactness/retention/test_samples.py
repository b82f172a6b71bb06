"""What retention drops of samples changes no answer that rollups give.

Each step of a drop is needed: without it a history notices.
"""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from tests.exactness.extent import FIRST, TRIES
from tests.exactness.retention.sample_histories import Keeper
from tests.support.database import empty
from tests.support.interleaving import mutated

HISTORIES = max(2, TRIES // 8)
STEPS = 60
SHORT = 8
MOST = 40
"""Histories in which a mutant must be noticed."""


def differences(db: psycopg.Connection[Any], seed: int, steps: int = STEPS) -> list[str]:
    """Tell a story up to the first answer that is wrong, or the first error; return it."""
    empty(db)
    try:
        for number, (got, right) in enumerate(Keeper(db, seed).tell(steps)):
            if got != right:
                return [f"seed {seed}, step {number}\ngot      {got}\nexpected {right}"]
    except psycopg.Error as error:
        return [f"seed {seed}: {error}"]
    return []


@pytest.mark.parametrize("seed", range(FIRST, FIRST + HISTORIES))
def test_answers_of_samples_stay_exact(daily: psycopg.Connection[Any], seed: int) -> None:
    assert differences(daily, seed) == []


# Each with the function and what is taken out of it.
MUTANTS = {
    "stale days are not waited for": (
        "close_samples",
        r" OR \(SELECT min\(s\.day\) FROM core\.stale_day AS s WHERE s\.version > 0\) < bound",
        "",
    ),
    "the horizon is not waited for": ("close_samples", r"horizon\.materialized < bound OR ", ""),
    "the bound stays": ("close_samples", r"UPDATE core\.horizon[^;]*;", ""),
    "the bound is the end of what is dropped": ("drop_samples", r"range_end \+ INTERVAL '24 hours'", "range_end"),
    "last samples are not kept": ("keep_values", r"x\.ts < %2\$L\n", "false\n"),
    "the first last sample stays": ("keep_values", r"WHERE k\.ts < excluded\.ts", "WHERE false"),
    "latest samples are looked for among what is left": ("last_samples", r"AND NOT k\.is_interval", "AND false"),
    "what is too old is let in": ("mark_samples", r"IF dropped IS NOT NULL THEN", "IF false THEN"),
    "a new priority marks what cannot be computed again": (
        "set_device",
        r"AND r\.bucket >= \(SELECT samples_from FROM core\.horizon\)",
        "",
    ),
    "parts of a quarter are read where some of it is gone": (
        "raw_sample_rows",
        r"ranges \* \(SELECT .*?core\.horizon AS h\)",
        "ranges",
    ),
    "an erasure leaves last values": ("erase_user", r"DELETE FROM core\.kept_value[^;]*;", ""),
}


# The history that notices a mutant earliest, by its seed; others are tried where that is no longer so.
NOTICING = {
    "stale days are not waited for": 1,
    "the bound is the end of what is dropped": 6,
    "what is too old is let in": 1,
    "a new priority marks what cannot be computed again": 5,
    "an erasure leaves last values": 5,
}
# What the last answers of a history show, however short it is.
AT_THE_END = {
    "last samples are not kept",
    "the first last sample stays",
    "latest samples are looked for among what is left",
}


@pytest.mark.parametrize("name", MUTANTS)
def test_histories_of_samples_notice(daily: psycopg.Connection[Any], name: str) -> None:
    with mutated(daily, *MUTANTS[name]):
        for seed in (NOTICING.get(name, 0), *range(MOST)):
            if differences(daily, seed, SHORT if name in AT_THE_END else STEPS):
                return
    pytest.fail(f"no history notices that {name}")
