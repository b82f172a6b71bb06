"""What refreshes make of hours with intervals without looking at each minute, against the rule minute by minute.

Most intervals of a device do not overlap, and most of the time one device measures, or the better one all the time. A
mutant is a function of sql/ that takes such a way where it must not.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import psycopg

from tests.exactness.extent import FIRST, TRIES
from tests.exactness.people import LONERS, SPAN, STEPPERS, USERS, play
from tests.support import sql_client
from tests.support.interleaving import NOON, mutated
from tests.support.moments import DAY, HOUR, moment

FEW = USERS[:4]
ROUNDS = max(1, TRIES // 4)
STALE = """
    INSERT INTO core.stale_day (user_key, day, quarters, sample_quarters)
      SELECT u.user_key, %s, ~ B'0'::bit(96), ~ B'0'::bit(96) FROM core.app_user AS u
"""
LEVELS = ("user_15m", "device_15m", "sample_15m", "sample_device_15m")
HARD = (r"(?:h\.cell IS NOT NULL|(?<=END, )false)(\n|$)", r"true\1", 3)
"""Every hour minute by minute."""

# Each with the function and what is taken out of it.
MUTANTS = {
    "intervals of a device never overlap": (
        "cell_buckets",
        r"SELECT r\.user_key, r\.metric_key, r\.cell FROM ranked AS r WHERE r\.overlaps",
        "SELECT r.user_key, r.metric_key, r.cell FROM ranked AS r WHERE false",
    ),
    "only the interval before may overlap": (
        "interval_blocks",
        r"max\(b\.ends_at\) OVER \((ORDER BY b\.bucket).*?\)",
        r"lag(b.ends_at) OVER (\1)",
    ),
    "only the cell in which a long interval begins": (
        "cell_buckets",
        r"p\.minutes, NULL, p\.overlaps",
        "p.minutes, NULL, p.overlaps AND p.ts >= p.cell",
    ),
    "intervals of a bucket never overlap": ("interval_blocks", r"WHERE i\.begins_at < i\.last_end\)", "WHERE false)"),
    "what overlaps is plain": ("interval_blocks", r"NOT bool_or\(b\.overlaps\) OVER", "NOT bool_or(false) OVER"),
    "a device beside instants is alone": ("cell_buckets", r"i\.user_key IS NOT NULL AS", "false AS"),
    "every device is alone": ("interval_blocks", r"min\(o\.device_key\) = max\(o\.device_key\)", "true"),
    "every device is the only one": (
        "interval_blocks",
        r"min\(s\.device_key\) OVER w = max\(s\.device_key\) OVER w AS",
        "true AS",
    ),
    "intervals of a device alone do not cross buckets": (
        "interval_blocks",
        r"WHERE f\.crossing IS NOT NULL AND f\.is_plain",
        "WHERE false",
    ),
    "what crosses a bucket counts as a whole, too": (
        "interval_blocks",
        r"f\.whole - f\.crossing \+",
        "f.whole +",
    ),
    "the first interval of a bucket crosses its end": (
        "interval_blocks",
        r"array_position\(b\.starts, b\.last_ts\)",
        "1",
    ),
    "no bucket has what crosses its end": ("interval_blocks", r" OR b\.ends_at > b\.bucket \+ \$7 AS", " AS"),
    "no bucket has coarse intervals": ("interval_blocks", r"b\.has_coarse OR ", ""),
    "what crosses a bucket is short": ("interval_blocks", r"i\.ends_at > f\.bucket \+ \$7 OR ", ""),
    "coarse intervals are short": ("interval_blocks", r" OR i\.ends_at - i\.ts > INTERVAL ''5 minutes''", ""),
    "no coarse interval gives way": ("cell_buckets", r"WHERE b\.rank < r\.rank AND", "WHERE false AND"),
    "worn windows never touch a coarse interval in part": ("cell_buckets", r"WHERE c\.is_unclear", "WHERE false"),
    "buckets in a coarse interval take twice": (
        "cell_buckets",
        r"AND \(p\.of_bucket IS NULL OR .*?p\.of_instants <> 0\)\)",
        ")",
    ),
    "fewer intervals are coarse": ("cell_buckets", r"> INTERVAL '5 minutes'", "> INTERVAL '10 minutes'"),
    "worn at any time of the hour": ("cell_buckets", r"b\.filled & p\.minutes = 0", "b.filled = 0"),
    "better devices leave everything": ("cell_buckets", r"WHERE x\.most < x\.in_all", "WHERE false"),
    "minutes that began before a coarse interval": (
        "cell_buckets",
        r"THEN p\.minutes & \(p\.minutes - 1\)",
        "THEN p.minutes",
    ),
    "instants are never in a part of a coarse interval": (
        "cell_buckets",
        r"WHERE i\.minutes & c\.won <> 0 AND i\.minutes & ~c\.won <> 0",
        "WHERE false",
    ),
    "instants take nothing from coarse intervals": ("cell_buckets", r"WHERE i\.minutes & ~c\.won = 0", "WHERE false"),
    "buckets take nothing from coarse intervals": (
        "cell_buckets",
        r"WHERE m\.minutes & ~c\.won = 0 AND",
        "WHERE false AND",
    ),
    "buckets in a part of a coarse interval take nothing": (
        "cell_buckets",
        r"AND \(m\.minutes & ~c\.won <> 0 OR m\.own_lost <> 0\)",
        "AND false",
    ),
    "intervals take as a whole": (
        "cell_buckets",
        r"WHEN p\.minutes & ~c\.won \| p\.own_lost = 0 THEN",
        "WHEN true THEN",
    ),
    "intervals take what instants replace": (
        "cell_buckets",
        r"p\.minutes & c\.won & ~p\.own_lost\) END",
        "p.minutes & c.won) END",
    ),
    "coarse intervals are left what instants replace": (
        "cell_buckets",
        r"sum\(p\.total\) OVER w",
        "sum(p.share) OVER w",
    ),
    "worn windows do not cover": ("cell_buckets", r" \| coalesce\(w\.minutes, 0\) AS covered", " AS covered"),
    "worn minutes rounded down": ("cell_buckets", r"ceil\(s\.end_second / 60\)", "floor(s.end_second / 60)"),
    "instants are never in part": ("cell_buckets", r"WHERE i\.minutes & r\.taken <> 0 AND", "WHERE false AND"),
    "short intervals of a bucket count whole or not at all": (
        "cell_buckets",
        r"b\.minutes & r\.of_instants IN .*? AS is_whole",
        "true AS is_whole",
    ),
    "short intervals never lose to instants in part": (
        "cell_buckets",
        r"b\.minutes & r\.of_instants IN \(0, b\.minutes\) AND",
        "true AND",
    ),
    "short intervals never lose to devices in part": (
        "cell_buckets",
        r"AND b\.minutes & r\.taken IN \(0, b\.minutes\)",
        "",
    ),
    "short intervals beside instants": (
        "cell_buckets",
        r"b\.minutes & r\.of_instants AS own_lost",
        "0::bigint AS own_lost",
    ),
    "long intervals beside instants": (
        "cell_buckets",
        r"p\.minutes & r\.of_instants AS own_lost",
        "0::bigint AS own_lost",
    ),
    "long intervals beside better devices": ("cell_buckets", r"p\.minutes & r\.taken AS lost", "0::bigint AS lost"),
    "the worst device wins": ("cell_buckets", r"ORDER BY c\.rank\n", "ORDER BY c.rank DESC\n"),
    "the priority of the metric does not matter": ("cell_buckets", r"d\.metric_priorities", "NULL"),
    "the priority of heart rate does not matter": ("roll_up_cells", r"d\.heart_rate_rank", "d.steps_rank"),
    "who won is who measured": ("cell_buckets", r"WHERE u\.minutes & r\.covered & ~r\.taken <> 0", "WHERE true"),
    "what does not count is not seen": ("cell_buckets", r"r\.is_touched OR i\.minutes", "i.minutes"),
    "what does not count is seen everywhere": ("cell_buckets", r"r\.is_touched OR i\.minutes & r\.taken = 0", "true"),
    "hard hours are not looked at": (
        "roll_up_cells",
        r"FROM counted AS c WHERE c\.is_hard AND c\.device_key IS NULL",
        "FROM counted AS c WHERE false",
    ),
    "hours of devices are never hard": (
        "roll_up_cells",
        r"WHERE c\.is_hard AND c\.device_key IS NOT NULL",
        "WHERE false",
    ),
    "devices lose whole buckets to instants": ("cell_buckets", r"m\.own_lost NOT IN \(0, m\.minutes\)", "false"),
    "devices never overlap": (
        "cell_buckets",
        r"r\.cell FROM ranked AS r WHERE r\.overlaps\n +UNION\n +SELECT m",
        "r.cell FROM ranked AS r WHERE false UNION SELECT m",
    ),
    "heart rates are never in part": (
        "roll_up_cells",
        r"WHERE b\.heart_rate_minutes & b\.taken <> 0 AND",
        "WHERE false AND",
    ),
    "heart rates of every device": ("roll_up_cells", r"WHERE b\.heart_rate_minutes & ~b\.taken <> 0\)", "WHERE true)"),
    "intervals beside readings are all there is": (
        "roll_up_cells",
        r" AND NOT EXISTS \(SELECT FROM found AS f WHERE f\.user_key = r\.user_key\)",
        "",
    ),
    "the devices of a user are one": ("roll_up_cells", r"WHERE s\.is_sole AND", "WHERE"),
    "intervals of a single device never overlap": ("roll_up_cells", r"WHERE NOT q\.is_plain", "WHERE false"),
    "hard hours of samples are not looked at": ("sum_buckets", r"AS c WHERE c\.is_hard", "AS c WHERE false"),
}
World: TypeAlias = tuple[int, tuple[str, ...]]
"""A seed, and its people."""
NOTICING: dict[World, tuple[str, ...]] = {
    (0, FEW): (
        "what overlaps is plain",
        "worn windows do not cover",
        "who won is who measured",
        "what does not count is not seen",
    ),
    (4, FEW): (
        "worn minutes rounded down",
        "instants are never in part",
        "the priority of the metric does not matter",
    ),
    (10, FEW): (
        "minutes that began before a coarse interval",
        "buckets take nothing from coarse intervals",
        "short intervals never lose to devices in part",
    ),
    (245, FEW): (
        "intervals take as a whole",
        "intervals take what instants replace",
        "coarse intervals are left what instants replace",
    ),
    (21, FEW): ("only the interval before may overlap", "worn at any time of the hour"),
    (209, FEW): ("the priority of heart rate does not matter",),
    (222, FEW): ("what does not count is seen everywhere",),
    (0, STEPPERS): (
        "worn windows never touch a coarse interval in part",
        "buckets in a coarse interval take twice",
        "buckets in a part of a coarse interval take nothing",
    ),
    (1, LONERS): ("intervals of a single device never overlap",),
    (2, LONERS): ("intervals beside readings are all there is",),
    (32, LONERS): ("the devices of a user are one",),
}
"""Who notices which mutants; others are tried where that is no longer so."""
NOTICING_THE_OTHERS: World = (3, FEW)
MOST = 200


def rollups(db: psycopg.Connection[Any]) -> list[list[Any]]:
    """Roll up everything again; return all quarters of an hour."""
    db.execute(STALE, [moment(NOON // DAY * DAY)])
    db.execute("CALL api.refresh()")
    return [db.execute(f"SELECT r FROM rollup.{level} AS r ORDER BY r".encode()).fetchall() for level in LEVELS]


def is_noticed(db: psycopg.Connection[Any], right: list[list[Any]]) -> bool:
    try:
        return rollups(db) != right
    except (psycopg.errors.CardinalityViolation, psycopg.errors.NotNullViolation):
        return True


def test_refreshes_follow_the_rule(calm: psycopg.Connection[Any]) -> None:
    for seed in range(FIRST, FIRST + ROUNDS):
        model = play(calm, seed, USERS + LONERS)
        for user in USERS + LONERS:
            asked = ("default", user, NOON - HOUR, NOON + SPAN + 2 * HOUR, "15m")
            assert sql_client.vitals(calm, *asked) == model.vitals(*asked), (seed, user)
        easy = rollups(calm)
        with mutated(calm, "cell_buckets", *HARD):
            assert rollups(calm) == easy, seed


def unnoticed(db: psycopg.Connection[Any], world: World, names: set[str]) -> set[str]:
    """Play the people of a seed; return which of these mutants they do not notice."""
    play(db, *world)
    right = rollups(db)
    left = set(names)
    for name in names:
        with mutated(db, *MUTANTS[name]):
            if is_noticed(db, right):
                left.remove(name)
    return left


def test_each_condition_is_needed(calm: psycopg.Connection[Any]) -> None:
    others = set(MUTANTS).difference(*NOTICING.values())
    left = unnoticed(calm, NOTICING_THE_OTHERS, others)
    for world, names in NOTICING.items():
        left |= unnoticed(calm, world, set(names))
    for seed in range(MOST):
        if not left:
            break
        left = unnoticed(calm, (seed, (FEW, STEPPERS, LONERS)[seed % 3]), left)
    assert not left
