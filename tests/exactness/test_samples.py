"""Answers about samples equal brute force, whatever was written, deleted, ranked and refreshed before.

Histories are random, each from its seed; EXACTNESS_QUESTIONS and EXACTNESS_SEED hold here, too. Each step of the
protocol of samples is needed: without it a history or a scenario notices.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from random import Random
from typing import Any, TypeAlias

import psycopg
import pytest

from tests.exactness.test_exactness import EACH, FIRST, QUESTIONS
from tests.support import sql_client
from tests.support.database import empty
from tests.support.interleaving import NOON, Stage, mutated
from tests.support.moments import DAY, HOUR, MINUTE, micros, moment
from tests.support.sample_model import BUCKETS, DEVICES, ERAS, KINDS, STEPS, USERS, Model
from tests.support.samples import Question, Sample, latest, series, summary, write_samples

QUARTER = 15 * MINUTE
TENANT = "default"
VIEW = """
    SELECT bucket, metric, unit, kind, count, avg, min, max, total, last, sole_device
      FROM api.metrics_{}
     WHERE tenant_id = %s AND user_id = %s AND bucket >= %s AND bucket < %s
     ORDER BY array_position(%s::text[], metric), bucket
"""
DELETE = "SELECT samples FROM api.delete_readings(%s, %s, %s, %s, %s)"


class Storyteller:
    """Does something to a tenant and asks, in turn, in the database and in the model."""

    def __init__(self, db: psycopg.Connection[Any], seed: int) -> None:
        self.db = db
        self.random = Random(seed)
        day, self.tz = self.random.choice(ERAS)
        self.middle = micros(datetime.fromisoformat(day).replace(tzinfo=UTC))
        self.horizon = self.middle - self.random.choice([60, 40, 0]) * HOUR
        self.crowd = [self.random.randint(-40, 40) for _ in range(3)]
        self.model = Model()
        db.execute("SELECT api.set_metric(%s, 'strain', '{score}', 'gauge', -1e6, 1e6)", [TENANT])
        sql_client.place_horizon(db, self.horizon)

    def deeds(self) -> list[Callable[[], tuple[Any, Any]]]:
        """Return what may be done, the more often the likelier."""
        return [
            *[self.write] * 8,
            *[self.refresh] * 3,
            *[self.piece] * 2,
            *[self.delete] * 2,
            *[self.prioritize] * 2,
            self.compress,
            self.erase,
            *[self.ask] * 20,
            *[self.view] * 5,
        ]

    def tell(self, steps: int) -> Iterator[tuple[Any, Any]]:
        """Do as many steps; yield what each came to in the database, and what is right."""
        deeds = self.deeds()
        yield self.write()
        for _ in range(steps):
            yield self.random.choice(deeds)()
        yield self.refresh()
        for _ in range(5):
            yield self.ask()
            yield self.view()
        yield sql_client.drift(self.db, self.middle - 90 * DAY, self.middle + 90 * DAY), []

    def moment(self) -> int:
        hour = self.random.choice(self.crowd) if self.random.random() < 0.7 else self.random.randint(-40, 40)
        return self.middle + hour * HOUR + self.random.choice(STEPS)

    def sample(self) -> Sample:
        value = self.random.choice([self.random.randint(-4_000_000, 4_000_000) / 1000, self.random.uniform(-1e6, 1e6)])
        metric = self.random.choice(list(KINDS)[:2] if self.random.random() < 0.6 else list(KINDS))
        return Sample(self.random.choice(["ada", *USERS]), self.random.choice(DEVICES), metric, self.moment(), value)

    def write(self) -> tuple[Any, Any]:
        batch = list({one[:4]: one for one in (self.sample() for _ in range(self.random.randint(1, 25)))}.values())
        return write_samples(self.db, TENANT, batch), self.model.write(batch)

    def refresh(self) -> tuple[Any, Any]:
        """Let the horizon move on, within a day or past it, or stay."""
        self.horizon += self.random.choice([0, 0, 1, 3, 7, 30, 96, 130]) * QUARTER
        sql_client.refresh(self.db, self.horizon)
        return (sql_client.horizon(self.db), sql_client.stale_days(self.db)), (self.horizon, 0)

    def piece(self) -> tuple[Any, Any]:
        sql_client.aim(self.db, self.horizon)
        self.db.execute("CALL api.refresh('0 seconds')")
        return None, None

    def going(self) -> tuple[int, int]:
        """Draw a range to delete."""
        start, end = sorted([self.moment(), self.moment()])
        return start, end

    def delete(self) -> tuple[Any, Any]:
        start, end = self.going()
        user, device = self.random.choice(USERS), self.random.choice([None, *DEVICES])
        if device not in self.model.devices:
            device = None
        found = self.db.execute(DELETE, [TENANT, user, moment(start), moment(end), device]).fetchone()
        going = [
            key for key in self.model.stored if key[0] == user and device in (None, key[1]) and start <= key[3] < end
        ]
        for key in going:
            del self.model.stored[key]
        return found, (len(going),)

    def prioritize(self) -> tuple[Any, Any]:
        device, priority = self.random.choice(DEVICES), self.random.choice([None, 1, 5, 900])
        metrics = {
            metric: self.random.choice([None, 1, 5, 900])
            for metric in self.random.sample(list(KINDS), self.random.choice([0, 0, 1, 2]))
        }
        if device in self.model.devices:
            sql_client.set_priority(self.db, TENANT, device, priority, metrics)
            if priority is not None:
                self.model.priorities[device] = priority
            for metric, its in metrics.items():
                self.model.of_metrics.pop((device, metric), None)
                if its is not None:
                    self.model.of_metrics[device, metric] = its
        return None, None

    def compress(self) -> tuple[Any, Any]:
        self.db.execute("SELECT compress_chunk(c, true) FROM show_chunks('core.sample') AS c")
        return None, None

    def erase(self) -> tuple[Any, Any]:
        sql_client.erase(self.db, TENANT, "bob")
        for key in [key for key in self.model.stored if key[0] == "bob"]:
            del self.model.stored[key]
        return sql_client.keyless(self.db), []

    def ask(self) -> tuple[Any, Any]:
        known = [key[3] for key in self.model.stored] or [self.middle]
        ends = sorted(self.random.choice([self.moment(), self.random.choice(known)]) for _ in range(2))
        if self.random.random() < 0.4:
            ends = [self.middle - 400 * HOUR, self.middle + 400 * HOUR]
        metrics = self.random.sample(list(KINDS), self.random.choice([1, 2, 4]))
        user = self.random.choice(["ada", *USERS])
        device = self.random.choice([None, None, *DEVICES])
        tz = self.random.choice([self.tz, self.tz, *(zone for _, zone in ERAS)])
        asked = Question(user, ends[0], ends[1], tuple(metrics), device, self.random.choice(BUCKETS), tz, 30)
        got = summary(self.db, TENANT, asked), series(self.db, TENANT, asked), latest(self.db, TENANT, user)
        return got, (self.model.summary(asked), self.model.series(asked), self.model.latest(user))

    def view(self) -> tuple[Any, Any]:
        """Read a view of all metrics, of which rows belong to a user."""
        bucket, user = self.random.choice(["15m", "1h", "1d"]), self.random.choice(["ada", *USERS])
        days = (self.middle - 5 * DAY, self.middle + 5 * DAY)
        rows = self.db.execute(
            VIEW.format(bucket).encode(), [TENANT, user, moment(days[0]), moment(days[1]), list(KINDS)]
        ).fetchall()
        asked = Question(user, *days, tuple(KINDS), None, bucket, "UTC", 30)
        return [(micros(at), *row) for at, *row in rows], [row[:-1] for row in self.model.series(asked)]


def differences(db: psycopg.Connection[Any], seed: int, steps: int) -> list[str]:
    """Tell a story up to the first answer that is wrong; return it."""
    for number, (got, right) in enumerate(Storyteller(db, seed).tell(steps)):
        if got != right:
            return [f"seed {seed}, step {number}\ngot      {got}\nexpected {right}"]
    return []


@pytest.mark.parametrize("seed", range(FIRST, FIRST + max(1, QUESTIONS // EACH)))
def test_answers_are_exact(calm: psycopg.Connection[Any], seed: int) -> None:
    assert differences(calm, seed, EACH) == []


# Mutants that random histories notice ------------------------------------------------------------------------

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


# A history that notices a mutant early; others are tried where that is no longer so.
NOTICING = {
    "a user is noted for one day only": 4,
    "a day that ends is not marked for those who are silent": 5,
    "a deletion marks nothing": 5,
    "the latest sample ignores the priority of the metric": 25,
    "emptied quarters stay": 5,
    "emptied hours and days stay": 5,
    "devices that no longer meet keep their rows": 7,
    "the winner is the only device": 1,
    "a device that met others is not found": 1,
    "the cut hour is read whole": 41,
    "metrics_15m ignores marks": 114,
    "metrics_1d ignores marks": 108,
}


@pytest.mark.parametrize("name", MUTANTS)
def test_random_histories_notice(calm: psycopg.Connection[Any], name: str) -> None:
    with mutated(calm, *MUTANTS[name]):
        for seed in (NOTICING.get(name, 0), *range(60)):
            if differences(calm, seed, 80):
                return
            empty(calm)
    pytest.fail("no answer was wrong")


# What only several sessions show ------------------------------------------------------------------------------


def puff(device: str, ts: int, value: float) -> Sample:
    """A value of Ada's."""
    return Sample("ada", device, "hydration", ts, value)


class Play:
    """A stage, and what is right about the samples of Ada."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.model = Model()

    def write(self, *samples: Sample, db: psycopg.Connection[Any] | None = None) -> None:
        write_samples(db or self.stage.db, TENANT, samples)
        self.model.write(samples)

    def wrong(self) -> list[str]:
        found = []
        for device in (None, *self.model.devices):
            for bucket in ("15m", "1h", "1d"):
                asked = Question("ada", NOON - 3 * DAY, NOON + 3 * DAY, ("hydration",), device, bucket, "UTC", 30)
                if (got := summary(self.stage.db, TENANT, asked)) != self.model.summary(asked):
                    found.append(f"summary of {device}: {got}")
                if (got := series(self.stage.db, TENANT, asked)) != self.model.series(asked):
                    found.append(f"series by {bucket} of {device}: {got}")
        return found

    def refreshed(self) -> list[str]:
        sql_client.refresh(self.stage.db, NOON + 2 * DAY)
        return self.wrong() + sql_client.drift(self.stage.db, NOON - 3 * DAY, NOON + 3 * DAY)


def late_on_a_day_that_goes_on(stage: Stage) -> list[str]:
    """A first value of a day comes below the horizon, and the day ends later."""
    play = Play(stage)
    sql_client.refresh(stage.db, NOON)
    play.write(puff("watch", NOON - 3 * HOUR, 100))
    sql_client.refresh(stage.db, NOON + HOUR)
    found = play.wrong()
    sql_client.refresh(stage.db, NOON + DAY)
    return found + play.wrong() + play.refreshed()


def written_during_stale_time(stage: Stage) -> list[str]:
    """A writer comes to a stale quarter that its refresh has read already."""
    play = Play(stage)
    sql_client.refresh(stage.db, NOON + 2 * DAY)
    play.write(puff("watch", NOON, 100), puff("phone", NOON + 1, 7))
    with stage.stopped_at("sample_1d"):
        refresh = stage.act(lambda db: sql_client.refresh(db, NOON + 2 * DAY))
        play.write(puff("watch", NOON + MINUTE, 3))
        found = play.wrong()
    refresh.end()
    return found + play.wrong() + play.refreshed()


def written_during_new_time(stage: Stage) -> list[str]:
    """The same while the horizon passes what is there."""
    play = Play(stage)
    play.write(puff("watch", NOON, 100), puff("phone", NOON + 1, 7))
    with stage.stopped_at("sample_1d"):
        refresh = stage.act(lambda db: sql_client.refresh(db, NOON + 2 * DAY))
        play.write(puff("watch", NOON + MINUTE, 3))
        found = play.wrong()
    refresh.end()
    return found + play.wrong() + play.refreshed()


def written_over_an_announcement(stage: Stage) -> list[str]:
    """A writer has written above the horizon and not committed while a refresh moves the horizon past it."""
    play = Play(stage)
    play.write(puff("watch", NOON, 100))
    writer = stage.connect()
    with writer.transaction():
        play.write(puff("watch", NOON + DAY, 3), db=writer)
        refresh = stage.act(lambda db: sql_client.refresh(db, NOON + DAY + HOUR))
    refresh.end()
    return play.wrong() + play.refreshed()


def ranked_during_a_piece(stage: Stage) -> list[str]:
    """A priority changes while a refresh has read the old one."""
    play = Play(stage)
    play.write(puff("watch", NOON, 100), puff("phone", NOON + 1, 7))
    with stage.stopped_at("sample_1d"):
        refresh = stage.act(lambda db: sql_client.refresh(db, NOON + 2 * DAY))
        change = stage.act(lambda db: sql_client.set_priority(db, TENANT, "phone", 1))
        found = play.wrong()
    refresh.end()
    change.end()
    play.model.priorities["phone"] = 1
    return found + play.wrong() + play.refreshed()


TOGETHER: list[tuple[Callable[[Stage], list[str]], dict[str, Change]]] = [
    (
        late_on_a_day_that_goes_on,
        {
            "only samples above the horizon are noted": (
                "mark_samples",
                r"WHERE t.day \+ [^\n]*",
                "WHERE t.hour >= horizon",
            )
        },
    ),
    (
        written_during_stale_time,
        {
            "marks are deleted that were not read": (
                "refresh_users",
                r"s.ctid = ANY \(marks.rows\)",
                "s.day = refresh_users.day AND s.user_key = ANY (ours)",
            )
        },
    ),
    (
        written_during_new_time,
        {
            "marks are deleted that were not read": (
                "refresh_users",
                r"s.ctid = ANY \(marks.rows\)",
                "s.day = refresh_users.day AND s.user_key = ANY (ours)",
            ),
            "writers mark below the old horizon only": (
                "mark_samples",
                r"SELECT h.announced FROM",
                "SELECT h.materialized - INTERVAL '10 days' FROM",
            ),
        },
    ),
    (
        written_over_an_announcement,
        {
            "writers do not hold the horizon": (
                "hold_horizon",
                r"LOCK TABLE core.horizon_lock IN ROW SHARE MODE;",
                "",
            )
        },
    ),
    (
        ranked_during_a_piece,
        {
            "a priority does not wait for refreshers": (
                "set_device",
                r"LOCK TABLE core.refresh_lock IN EXCLUSIVE MODE;",
                "",
            )
        },
    ),
]


@pytest.mark.native
@pytest.mark.parametrize(
    ("scenario", "mutant"),
    [
        pytest.param(scenario, mutant, id=f"{scenario.__name__}-{name}")
        for scenario, mutants in TOGETHER
        for name, mutant in {"functions as they are": None, **mutants}.items()
    ],
)
def test_together(stage: Stage, scenario: Callable[[Stage], list[str]], mutant: Change | None) -> None:
    if mutant is None:
        assert scenario(stage) == []
        return
    with mutated(stage.db, *mutant):
        assert scenario(stage) != [], "no answer was wrong"
