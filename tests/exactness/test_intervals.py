"""The rule of intervals against brute force, hour by hour, and its mutants, each of which must be caught.

Many small tries of a few hours, in which everything meets; the histories of test_exactness.py have intervals, too,
among all else that happens. EXACTNESS_TRIES says how many tries a test makes, EXACTNESS_SEED from which seed on. A
mutant is a function of sql/ with one part of the rule taken out.
"""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from tests.exactness.extent import FIRST, TRIES
from tests.exactness.tries import Try
from tests.support import sql_client
from tests.support.database import empty
from tests.support.interleaving import NOON, mutated
from tests.support.moments import DAY
from tests.support.reference_model import Model

MOST = 600
"""Tries in which a mutant must be noticed."""


def differences(db: psycopg.Connection[Any], seed: int) -> list[Any]:
    """Play a try; return what minutes differ from brute force."""
    empty(db)
    sql_client.place_horizon(db, NOON - 10 * DAY)
    one, model = Try(seed), Model()
    if items := one.items():
        assert sql_client.write(db, items) == model.write(items)
    parts = one.parts()
    for sent in (parts, one.grown(parts)):
        if sent:
            assert sql_client.merge(db, sent) == model.merge(sent)
    for device, metrics in one.priorities():
        sql_client.set_priority(db, "default", device, None, metrics)
        model.set_priority("default", device, None, metrics)
    return [
        (question, got, expected)
        for question in one.questions(model)
        for got, expected in [
            (sql_client.minutes(db, "default", "ada", *question), model.minutes("default", "ada", *question))
        ]
        if got != expected
    ]


def test_minutes_follow_the_rule(calm: psycopg.Connection[Any]) -> None:
    for seed in range(FIRST, FIRST + TRIES):
        assert differences(calm, seed) == [], f"seed {seed}"


# Each with what is taken out: regular expressions whose matches are replaced, each once.
MUTANTS = {
    "no cap of coarse intervals": (r"p\.is_coarse\n       GROUP BY", "false\n       GROUP BY"),
    "a cap of every interval": (r"i\.ends_at - i\.ts > INTERVAL '5 minutes' AS", "true AS"),
    "what better devices counted in all of their minutes": (
        r"k\.device_key IS NULL AND p\.minute >= p\.ts",
        "k.device_key IS NULL",
    ),
    "a cap beside worn devices": (r"WHERE p\.is_coarse\) AS k", "WHERE false) AS k"),
    "a cap of what the interval has left after losses": (
        r"div\(greatest\(sum\(p\.share\) FILTER \(WHERE p\.counts\)",
        "div(greatest(sum(p.share) FILTER (WHERE p.counts AND g.device_key = p.device_key)",
    ),
    "the older version wins": (r"ORDER BY p\.version DESC", "ORDER BY p.version"),
    "no version wins": (r"WHERE u\.newer && ", "WHERE false AND u.newer && "),
    "a newer interval that only meets": (r"u\.newer && tstzrange\(u\.piece_start, u\.piece_end\)", "u.newer <> '{}'"),
    "an interval beside its device's readings": (
        r"o\.version IS NULL AND i\.minute IS NULL AS",
        "o.version IS NULL AS",
    ),
    "worn windows do not cover": (
        r"FROM unnest\(windows\) AS w\n       CROSS",
        "FROM unnest(windows) AS w\n       CROSS JOIN (SELECT 1 LIMIT 0) AS x CROSS",
    ),
    "worn windows hide metrics that are not counted": (
        r"\n +JOIN \(SELECT DISTINCT p\.metric_key, p\.cell, p\.device_key FROM present.*?w\.device_key\) AS v",
        ") AS v",
    ),
    "worn devices count in other hours": (r"AND g\.cell = m\.cell AND g\.device_key", "AND g.device_key"),
    "the worst device wins": (
        r"\(min\(core\.device_rank",
        r"(max(core.device_rank",
    ),
    "the priority of the metric does not matter": (
        r"\(min\(core\.device_rank\(d\.priority, d\.metric_priorities,",
        r"(min(core.device_rank(d.priority, NULL,",
    ),
    "zero does not cover": (r"FROM pieces AS p\n    \), winners", "FROM pieces AS p WHERE p.share > 0\n    ), winners"),
    "shares that do not add up": (
        r"div\(p\.whole \* extract\(epoch FROM x\.piece_end - p\.ts\), p\.length\)\n[^\n]*p\.ts\), p\.length\)",
        "div(p.whole * extract(epoch FROM x.piece_end - x.piece_start), p.length)",
    ),
    "steps in millionths": (
        r"CASE WHEN m\.is_whole THEN 1000000 ELSE 1 END AS grain,\n.*?AS whole",
        "1 AS grain, round(i.value * 1e6)::numeric AS whole",
    ),
    "cut before it is resolved": (r"api_internal\.whole_hours\(ranges\);", "ranges;"),
}


# A try that notices a mutant; others are made where that is no longer so.
NOTICING = {
    "what better devices counted in all of their minutes": 218,
    "a cap beside worn devices": 11,
    "the priority of the metric does not matter": 20,
}


@pytest.mark.parametrize("name", MUTANTS)
def test_each_part_of_the_rule_is_needed(calm: psycopg.Connection[Any], name: str) -> None:
    with mutated(calm, "counted_minutes", *MUTANTS[name]):
        assert any(differences(calm, seed) for seed in (NOTICING.get(name, 0), *range(MOST)))
