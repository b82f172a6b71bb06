"""Many intervals of a device in a minute, and over the same minutes, against the rule; and mutants."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from typing import Any

import psycopg
import pytest

from tests.support import sql_client
from tests.support.database import empty
from tests.support.interleaving import NOON, install, script
from tests.support.moments import DAY, HOUR, MINUTE
from tests.support.reference_model import Model
from tests.support.stored import Part

SECOND = MINUTE // 60
TRIES = 12
NOTICING = (35, 58, 65)
"""Tries that notice the mutants that few others do."""

CROWD = (r"p\.pieces (BETWEEN 2 AND|>) 64", r"p.pieces \1 1")
"""Also of few intervals in a minute the newer half is told from the older one."""


def crowded(db: psycopg.Connection[Any], seed: int) -> bool:
    """Return whether minutes of many intervals differ from brute force."""
    empty(db)
    sql_client.place_horizon(db, NOON - DAY)
    r, model = Random(seed), Model()
    parts = [
        Part(
            "default", "ada", r.choice(["phone", "watch"]), "interval", "steps", ts, ts + length, float(r.randrange(99))
        )
        for _ in range(r.choice([8, 30, 90]))
        # Half of them meet others.
        for grain in [r.choice([1, 3 * SECOND])]
        for ts in [NOON + r.randrange(3 * MINUTE) // grain * grain]
        for length in [r.choice([3 * SECOND, 9 * SECOND, MINUTE, 4 * MINUTE]) + r.randrange(SECOND) // grain]
    ]
    parts = list({part[:6]: part for part in parts}.values())
    assert sql_client.merge(db, parts) == model.merge(parts)
    asked = ("default", "ada", NOON - HOUR, NOON + HOUR)
    return sql_client.minutes(db, *asked) != model.minutes(*asked)


@contextmanager
def mutated(db: psycopg.Connection[Any], pattern: str = "", replacement: str = "") -> Iterator[None]:
    """Replace the function by one for which two are many, with a part taken out."""
    text, times = re.subn(*CROWD, script("counted_minutes"))
    assert times == 2
    assert len(re.findall(pattern, text)) == 1 or not pattern, f"fit {pattern} to the file again"
    install(db, re.sub(pattern, replacement, text))
    try:
        yield
    finally:
        install(db, script("counted_minutes"))


def test_of_many_intervals_in_a_minute_the_newest_count(calm: psycopg.Connection[Any]) -> None:
    with mutated(calm):
        for seed in range(TRIES):
            assert not crowded(calm, seed), seed


@pytest.mark.parametrize(
    ("pattern", "replacement"),
    [
        (r"WHERE u\.is_newer = 0 AND u\.overlaps", "WHERE u.overlaps"),
        (r"ELSE p\.piece_end END, b\.is_newer\n", "ELSE p.piece_end END, b.is_newer DESC\n"),
        (r"p\.piece_start < max\(p\.piece_end\) FILTER", "p.piece_start <= max(p.piece_end) FILTER"),
        (r"p\.number >> \(g\.bit \+ 1\)", "p.number >> g.bit"),
        (r"ON 1 << g\.bit <= p\.pieces", "ON 2 << g.bit <= p.pieces"),
        (r"INTERVAL '1 minute' ELSE p\.high - p\.low END", "INTERVAL '1 minute' ELSE INTERVAL '1 hour' END"),
        (r"WHERE n\.low <= e\.low AND n\.high >= e\.high", "WHERE n.low <= e.low"),
        (r"AND n\.high = p\.high AND n\.version > p\.version", "AND n.high = p.high"),
    ],
)
def test_each_part_of_what_tells_newer_ones_is_needed(
    calm: psycopg.Connection[Any], pattern: str, replacement: str
) -> None:
    with mutated(calm, pattern, replacement):
        assert any(crowded(calm, seed) for seed in (*NOTICING, *range(10 * TRIES)))
