"""What refreshes make of hours with intervals without looking at each minute, against the rule minute by minute.

Users of phones and watches, as they are: most intervals of a device do not overlap, and most of the time one device
measures, or the better one all the time. A mutant is a function of sql/ that takes such a way where it must not.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

import psycopg

from tests.exactness.test_exactness import FIRST
from tests.exactness.test_intervals import NOON, SAMPLES
from tests.exactness.test_intervals import TRIES as SMALL_TRIES
from tests.support import sql_client
from tests.support.database import empty
from tests.support.interleaving import mutated
from tests.support.moments import DAY, HOUR, MINUTE, moment
from tests.support.reference_model import Model
from tests.support.stored import Item, Part

SECOND = MINUTE // 60
USERS = [f"user_{n}" for n in range(12)]
FEW = USERS[:4]
STEPPERS = ["stepper_0", "stepper_1", "stepper_2", "stepper_3"]
LONERS = ["loner_0", "loner_1", "loner_2", "loner_3"]
TRIES = max(1, SMALL_TRIES // 4)
SPAN = 3 * HOUR
STALE = """
    INSERT INTO core.stale_day (user_key, day, quarters, sample_quarters)
      SELECT u.user_key, %s, ~ B'0'::bit(96), ~ B'0'::bit(96) FROM core.app_user AS u
"""
LEVELS = ("user_15m", "device_15m", "sample_15m", "sample_device_15m")
HARD = (r"(?:h\.cell IS NOT NULL|(?<=END, )false)(\n|$)", r"true\1", 3)
"""Every hour minute by minute."""

# Each with the function, what is taken out of it, and how often that is there.
MUTANTS = {
    "intervals of a device never overlap": (
        "cell_buckets",
        r"SELECT r\.user_key, r\.metric_key, r\.cell FROM ranked AS r WHERE r\.overlaps",
        "SELECT r.user_key, r.metric_key, r.cell FROM ranked AS r WHERE false",
        1,
    ),
    "only the interval before may overlap": (
        "interval_blocks",
        r"max\(b\.ends_at\) OVER \((ORDER BY b\.bucket).*?\)",
        r"lag(b.ends_at) OVER (\1)",
        1,
    ),
    "only the cell in which a long interval begins": (
        "cell_buckets",
        r"p\.minutes, NULL, p\.overlaps",
        "p.minutes, NULL, p.overlaps AND p.ts >= p.cell",
        1,
    ),
    "intervals of a bucket never overlap": (
        "interval_blocks",
        r"WHERE i\.begins_at < i\.last_end\)",
        "WHERE false)",
        1,
    ),
    "what overlaps is plain": ("interval_blocks", r"NOT bool_or\(b\.overlaps\) OVER", "NOT bool_or(false) OVER", 1),
    "a device beside instants is alone": ("cell_buckets", r"i\.user_key IS NOT NULL AS", "false AS", 1),
    "every device is alone": (
        "interval_blocks",
        r"min\(o\.device_key\) = max\(o\.device_key\)",
        "true",
        1,
    ),
    "every device is the only one": (
        "interval_blocks",
        r"min\(s\.device_key\) OVER w = max\(s\.device_key\) OVER w AS",
        "true AS",
        1,
    ),
    "intervals of a device alone do not cross buckets": (
        "interval_blocks",
        r"WHERE f\.crossing IS NOT NULL AND f\.is_plain",
        "WHERE false",
        1,
    ),
    "what crosses a bucket counts as a whole, too": (
        "interval_blocks",
        r"f\.whole - f\.crossing \+",
        "f.whole +",
        1,
    ),
    "the first interval of a bucket crosses its end": (
        "interval_blocks",
        r"array_position\(b\.starts, b\.last_ts\)",
        "1",
        1,
    ),
    "no bucket has what crosses its end": ("interval_blocks", r" OR b\.ends_at > b\.bucket \+ \$7 AS", " AS", 1),
    "no bucket has coarse intervals": ("interval_blocks", r"b\.has_coarse OR ", "", 1),
    "what crosses a bucket is short": ("interval_blocks", r"i\.ends_at > f\.bucket \+ \$7 OR ", "", 1),
    "coarse intervals are short": ("interval_blocks", r" OR i\.ends_at - i\.ts > INTERVAL ''5 minutes''", "", 1),
    "no coarse interval gives way": ("cell_buckets", r"WHERE b\.rank < r\.rank AND", "WHERE false AND", 1),
    "worn windows never touch a coarse interval in part": ("cell_buckets", r"WHERE c\.is_unclear", "WHERE false", 1),
    "buckets in a coarse interval take twice": (
        "cell_buckets",
        r"AND \(p\.of_bucket IS NULL OR .*?p\.of_instants <> 0\)\)",
        ")",
        1,
    ),
    "fewer intervals are coarse": ("cell_buckets", r"> INTERVAL '5 minutes'", "> INTERVAL '10 minutes'", 1),
    "worn at any time of the hour": ("cell_buckets", r"b\.filled & p\.minutes = 0", "b.filled = 0", 1),
    "better devices leave everything": ("cell_buckets", r"WHERE x\.most < x\.in_all", "WHERE false", 1),
    "minutes that began before a coarse interval": (
        "cell_buckets",
        r"THEN p\.minutes & \(p\.minutes - 1\)",
        "THEN p.minutes",
        1,
    ),
    "instants are never in a part of a coarse interval": (
        "cell_buckets",
        r"WHERE i\.minutes & c\.won <> 0 AND i\.minutes & ~c\.won <> 0",
        "WHERE false",
        1,
    ),
    "instants take nothing from coarse intervals": (
        "cell_buckets",
        r"WHERE i\.minutes & ~c\.won = 0",
        "WHERE false",
        1,
    ),
    "buckets take nothing from coarse intervals": (
        "cell_buckets",
        r"WHERE m\.minutes & ~c\.won = 0 AND",
        "WHERE false AND",
        1,
    ),
    "buckets in a part of a coarse interval take nothing": (
        "cell_buckets",
        r"AND \(m\.minutes & ~c\.won <> 0 OR m\.own_lost <> 0\)",
        "AND false",
        1,
    ),
    "intervals take as a whole": (
        "cell_buckets",
        r"WHEN p\.minutes & ~c\.won \| p\.own_lost = 0 THEN",
        "WHEN true THEN",
        1,
    ),
    "intervals take what instants replace": (
        "cell_buckets",
        r"p\.minutes & c\.won & ~p\.own_lost\) END",
        "p.minutes & c.won) END",
        1,
    ),
    "coarse intervals are left what instants replace": (
        "cell_buckets",
        r"sum\(p\.total\) OVER w",
        "sum(p.share) OVER w",
        1,
    ),
    "worn windows do not cover": ("cell_buckets", r" \| coalesce\(w\.minutes, 0\) AS covered", " AS covered", 1),
    "worn minutes rounded down": ("cell_buckets", r"ceil\(s\.end_second / 60\)", "floor(s.end_second / 60)", 1),
    "instants are never in part": ("cell_buckets", r"WHERE i\.minutes & r\.taken <> 0 AND", "WHERE false AND", 1),
    "short intervals of a bucket count whole or not at all": (
        "cell_buckets",
        r"b\.minutes & r\.of_instants IN .*? AS is_whole",
        "true AS is_whole",
        1,
    ),
    "short intervals never lose to instants in part": (
        "cell_buckets",
        r"b\.minutes & r\.of_instants IN \(0, b\.minutes\) AND",
        "true AND",
        1,
    ),
    "short intervals never lose to devices in part": (
        "cell_buckets",
        r"AND b\.minutes & r\.taken IN \(0, b\.minutes\)",
        "",
        1,
    ),
    "short intervals beside instants": (
        "cell_buckets",
        r"b\.minutes & r\.of_instants AS own_lost",
        "0::bigint AS own_lost",
        1,
    ),
    "long intervals beside instants": (
        "cell_buckets",
        r"p\.minutes & r\.of_instants AS own_lost",
        "0::bigint AS own_lost",
        1,
    ),
    "long intervals beside better devices": ("cell_buckets", r"p\.minutes & r\.taken AS lost", "0::bigint AS lost", 1),
    "the worst device wins": ("cell_buckets", r"ORDER BY c\.rank\n", "ORDER BY c.rank DESC\n", 1),
    "the priority of the metric does not matter": ("cell_buckets", r"d\.metric_priorities", "NULL", 1),
    "the priority of heart rate does not matter": ("roll_up_cells", r"d\.heart_rate_rank", "d.steps_rank", 1),
    "who won is who measured": ("cell_buckets", r"WHERE u\.minutes & r\.covered & ~r\.taken <> 0", "WHERE true", 1),
    "what does not count is not seen": ("cell_buckets", r"r\.is_touched OR i\.minutes", "i.minutes", 1),
    "what does not count is seen everywhere": (
        "cell_buckets",
        r"r\.is_touched OR i\.minutes & r\.taken = 0",
        "true",
        1,
    ),
    "hard hours are not looked at": (
        "roll_up_cells",
        r"FROM counted AS c WHERE c\.is_hard AND c\.device_key IS NULL",
        "FROM counted AS c WHERE false",
        1,
    ),
    "hours of devices are never hard": (
        "roll_up_cells",
        r"WHERE c\.is_hard AND c\.device_key IS NOT NULL",
        "WHERE false",
        1,
    ),
    "devices lose whole buckets to instants": ("cell_buckets", r"m\.own_lost NOT IN \(0, m\.minutes\)", "false", 1),
    "devices never overlap": (
        "cell_buckets",
        r"r\.cell FROM ranked AS r WHERE r\.overlaps\n +UNION\n +SELECT m",
        "r.cell FROM ranked AS r WHERE false UNION SELECT m",
        1,
    ),
    "heart rates are never in part": (
        "roll_up_cells",
        r"WHERE b\.heart_rate_minutes & b\.taken <> 0 AND",
        "WHERE false AND",
        1,
    ),
    "heart rates of every device": (
        "roll_up_cells",
        r"WHERE b\.heart_rate_minutes & ~b\.taken <> 0\)",
        "WHERE true)",
        1,
    ),
    "intervals beside readings are all there is": (
        "roll_up_cells",
        r" AND NOT EXISTS \(SELECT FROM found AS f WHERE f\.user_key = r\.user_key\)",
        "",
        1,
    ),
    "the devices of a user are one": ("roll_up_cells", r"WHERE s\.is_sole AND", "WHERE", 1),
    "intervals of a single device never overlap": ("roll_up_cells", r"WHERE NOT q\.is_plain", "WHERE false", 1),
    "hard hours of samples are not looked at": ("sum_buckets", r"AS c WHERE c\.is_hard", "AS c WHERE false", 1),
}
# Seeds whose people notice all mutants between them; others are tried where that is no longer so.
NOTICING = (3, 0, 4, 10, 245, 21, 209, 222)
NOTICING_STEPPERS = (0, 6)
NOTICING_LONERS = (1, 2, 32)
MOST = 200


class Person:
    """What the devices of a user send in some hours."""

    def __init__(self, user: str, random: Random) -> None:
        self.user, self.random = user, random
        self.items: dict[tuple[str, int], Item] = {}
        self.parts: dict[tuple[str, str, str, int], Part] = {}
        self.values: dict[tuple[str, int], float] = {}
        if user in LONERS:
            self.count_alone()
            return
        # So that a device that is alone in the hours asked for was not always.
        self.parts["device_c", "interval", "steps", NOON - DAY] = Part(
            "default", user, "device_c", "interval", "steps", NOON - DAY, NOON - DAY + MINUTE, 5.0
        )
        if user in STEPPERS:
            self.count_in_steps()
            self.beat("watch")
            return
        r = random
        if r.random() < 0.1:
            self.count_in_steps()
            return
        for device in r.choice([["phone"], ["phone", "watch"], ["phone", "watch"], ["phone", "watch", "device_b"]]):
            self.measure(device)
        for device in r.choice([[], [], ["watch"], ["watch", "device_b"], ["device_b"]]):
            self.wear(device)
        for device in r.choice([[], [], ["watch"], ["watch", "device_b"]]):
            self.beat(device)

    def count_alone(self) -> None:
        """A phone counts, and hardly anything stands beside its intervals."""
        r = self.random
        for metric in r.choice([["steps"], ["calories"], ["steps", "calories"]]):
            self.intervals("phone", metric)
        beside = r.random()
        if beside < 0.2:
            self.instants("phone", "steps")
        elif beside < 0.4:
            self.intervals("watch", "calories")
        elif beside < 0.6:
            self.wear("watch")

    def count_in_steps(self) -> None:
        """One device, worn now and then, counts by minute, one by ten minutes and one by hours, over the same time."""
        r = self.random
        devices = r.sample(["phone", "watch", "device_b"], 3)
        for device, length, gaps in zip(devices, (MINUTE, 10 * MINUTE, HOUR), (0.3, 0.4, 0.0), strict=True):
            for ts in range(NOON, NOON + SPAN, length):
                if r.random() >= gaps:
                    self.part(device, "steps", ts, length)
        for ts in range(NOON, NOON + SPAN, 30 * MINUTE):
            if r.random() < 0.3:
                until = ts + 10 * MINUTE + 20 * SECOND
                self.parts[devices[0], "worn", "", ts] = Part(
                    "default", self.user, devices[0], "worn", "", ts, until, 0.0
                )

    def measure(self, device: str) -> None:
        r = self.random
        for metric in r.choice([["steps"], ["steps", "distance"], ["steps", "calories", "distance"], ["distance"]]):
            if r.random() < (0.2 if device == "phone" else 0.6):
                self.instants(device, metric)
            if device == "phone" or r.random() < 0.4:
                self.intervals(device, metric)

    def spells(self) -> Iterator[tuple[int, int]]:
        """Yield when a device is carried: all the time, or now and then."""
        r = self.random
        if r.random() < 0.5:
            yield NOON, NOON + SPAN
            return
        for _ in range(r.choice([1, 2])):
            start = NOON + r.randrange(SPAN // MINUTE) * MINUTE
            yield start, min(start + r.choice([10, 45, 90]) * MINUTE, NOON + SPAN)

    def intervals(self, device: str, metric: str) -> None:
        r = self.random
        length = r.choice([1, 1, 1, 3, 5, 10, 10, 10, 60, 100]) * MINUTE
        phase = r.choice([0, 0, 0, 17 * SECOND, length // 2])
        gaps = r.choice([0.0, 0.0, 0.2, 0.7])
        for start, end in self.spells():
            for ts in range(start + phase, end, length):
                if r.random() >= gaps:
                    self.part(device, metric, ts, length)
        if r.random() < 0.15:
            self.part(
                device,
                metric,
                NOON + r.randrange(SPAN // SECOND) * SECOND,
                r.choice([MINUTE, 20 * MINUTE, 50 * MINUTE]),
            )

    def part(self, device: str, metric: str, ts: int, length: int) -> None:
        # Of whole minutes about as much as what is measured at moments, so that coarse intervals leave something.
        minutes = max(1, length // MINUTE)
        value = (
            float(self.random.randrange(100) * minutes)
            if metric == "steps"
            else round(self.random.uniform(0, 90) * minutes, 3)
        )
        self.parts[device, "interval", metric, ts] = Part(
            "default", self.user, device, "interval", metric, ts, ts + length, value
        )

    def instants(self, device: str, metric: str) -> None:
        r = self.random
        step = r.choice([MINUTE, MINUTE, 5 * MINUTE, 20 * SECOND])
        gaps = r.choice([0.0, 0.1, 0.9])
        for start, end in self.spells():
            for ts in range(start + r.choice([0, 1, 30 * SECOND]), end, step):
                if r.random() < gaps:
                    continue
                if metric == "distance":
                    self.values[device, ts] = float(r.randrange(60))
                else:
                    self.read(device, ts, **{metric: r.randrange(90)})

    def beat(self, device: str) -> None:
        r = self.random
        step = r.choice([MINUTE, MINUTE, 7 * MINUTE])
        for start, end in self.spells():
            for ts in range(start, end, step):
                self.read(device, ts, heart_rate=float(r.randrange(50, 120)))

    def read(self, device: str, ts: int, **values: Any) -> None:
        was = self.items.get((device, ts), Item("default", self.user, device, ts, None, None, None))
        self.items[device, ts] = was._replace(**values)

    def wear(self, device: str) -> None:
        r = self.random
        for start, end in self.spells():
            start -= r.choice([0, 0, 25 * SECOND])
            length = r.choice([HOUR, 40 * MINUTE, SPAN])
            for ts in range(start, end, length):
                if r.random() < 0.8:
                    until = ts + length - r.choice([0, 0, 40 * SECOND])
                    self.parts[device, "worn", "", ts] = Part("default", self.user, device, "worn", "", ts, until, 0.0)


def play(db: psycopg.Connection[Any], seed: int, users: list[str]) -> Model:
    """Store what users sent; return the model of their readings and intervals of steps and calories."""
    empty(db)
    sql_client.place_horizon(db, NOON - DAY)
    random, model = Random(seed), Model()
    people = [Person(user, random) for user in users]
    items = [item for person in people for item in person.items.values()]
    parts = [part for person in people for part in person.parts.values()]
    if items:
        assert sql_client.write(db, items) == model.write(items)
    assert sql_client.merge(db, parts) == model.merge(parts)
    values = [(person.user, *each) for person in people for each in person.values.items()]
    with db.transaction():
        db.execute(
            SAMPLES,
            {
                "tenants": ["default"] * len(values),
                "users": [user for user, _, _ in values],
                "metrics": ["distance"] * len(values),
                "devices": [device for _, (device, _), _ in values],
                "moments": [moment(ts) for _, (_, ts), _ in values],
                "values": [value for _, _, value in values],
            },
        )
    for device in random.sample(["phone", "watch", "device_b"], random.choice([0, 0, 1, 2])):
        metrics = {
            metric: random.choice([None, 0, 1, 1000]) for metric in ("heart_rate", "steps", "calories", "distance")
        }
        sql_client.set_priority(db, "default", device, None, metrics)
        model.set_priority("default", device, None, metrics)
    sql_client.refresh(db, NOON + DAY)
    return model


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
    for seed in range(FIRST, FIRST + TRIES):
        model = play(calm, seed, USERS + LONERS)
        for user in USERS + LONERS:
            asked = ("default", user, NOON - HOUR, NOON + SPAN + 2 * HOUR, "15m")
            assert sql_client.vitals(calm, *asked) == model.vitals(*asked), (seed, user)
        easy = rollups(calm)
        with mutated(calm, "cell_buckets", *HARD):
            assert rollups(calm) == easy, seed


def test_each_condition_is_needed(calm: psycopg.Connection[Any]) -> None:
    left = dict(MUTANTS)
    tried = [(seed, FEW) for seed in NOTICING] + [(seed, STEPPERS) for seed in NOTICING_STEPPERS]
    tried += [(seed, LONERS) for seed in NOTICING_LONERS]
    for seed, users in (*tried, *((seed, (FEW, STEPPERS, LONERS)[seed % 3]) for seed in range(MOST))):
        play(calm, seed, users)
        right = rollups(calm)
        for name, mutant in list(left.items()):
            with mutated(calm, *mutant):
                if is_noticed(calm, right):
                    del left[name]
        if not left:
            break
    assert not left
