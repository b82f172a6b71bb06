"""Every answer equals brute force over what its own snapshot holds, while writers and refreshers run.

A question and the rows behind it are read in one snapshot, from which brute force works out what is right. So writers
may do as they like: intervals, zeros, worn windows, corrections, daily totals, further metrics, deletions, erasures,
priorities of devices and of metrics, around a change of clocks. EXACTNESS_SNAPSHOTS says how many questions are asked,
EXACTNESS_SEED from which seed on. The embedded database has one session, so there they take turns.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from random import Random
from threading import Event, Thread
from typing import Any, TypeAlias

import psycopg
import pytest

from tests.exactness.extent import FIRST
from tests.exactness.histories import DEVICES, ERAS, USERS, Storyteller, Write, today
from tests.exactness.player import answers
from tests.support import sql_client
from tests.support.answers import micro
from tests.support.interval_model import Instant, Stretch, Total, Window
from tests.support.moments import DAY, MINUTE, auto_bucket, bucket_start, micros, moment
from tests.support.reference_model import SUMS as OF_READINGS
from tests.support.reference_model import Model
from tests.support.sample_model import Model as SampleModel
from tests.support.samples import Question, Sample, write_samples
from tests.support.samples import series as sample_series
from tests.support.samples import summary as sample_summary
from tests.support.stored import Device, Sent, Values
from tests.support.sums import GRAIN, Sums

QUESTIONS = int(os.environ.get("EXACTNESS_SNAPSHOTS", "60"))
EACH = 200
BEFORE = 12  # deeds of each writer before anybody asks
MOST = 80  # deeds of a writer that add something; after that it changes what is there
OTHERS = ["spo2", "body_weight"]
WHATS = ["summary", "series", "minutes", "latest", "readings", "vitals", "daily"]
LOST = (psycopg.errors.DeadlockDetected, psycopg.errors.LockNotAvailable)
OF_USERS = """
    SELECT u.user_id, d.device_id, x.ts, {}
      FROM {} AS x
      JOIN core.app_user AS u USING (user_key)
      JOIN core.tenant AS t USING (tenant_key)
      JOIN core.device AS d USING (device_key)
     WHERE t.tenant_id = %s
     ORDER BY x.ts
"""
VIEW = """
    SELECT bucket, metric, unit, kind, count, avg, min, max, total, last, sole_device
      FROM api.metrics_{}
     WHERE tenant_id = %s AND user_id = %s AND bucket >= %s AND bucket < %s AND metric = ANY (%s)
     ORDER BY metric, bucket
"""
Db: TypeAlias = psycopg.Connection[Any]


class State:
    """What a snapshot holds of a tenant, for brute force."""

    def __init__(self, db: Db, tenant: str) -> None:
        self.tenant = tenant
        self.model = Model()
        self.samples = SampleModel()
        self.instants: dict[tuple[str, str], list[Instant]] = {}
        self.sent: dict[tuple[str, str], list[tuple[str, str, int, Sent]]] = {}
        names = dict(db.execute("SELECT metric_key, name FROM core.metric").fetchall())
        self.read_names(db, names)
        for user, device, ts, *values in self.rows(db, "core.reading", "x.heart_rate, x.steps, x.calories"):
            self.model.readings[tenant, user][device, ts] = Values(*values)
        for user, device, ts, key, value in self.rows(db, "core.sample", "x.metric_key, x.value"):
            self.samples.stored[user, device, names[key], ts] = value
        for kind, table, key in (
            ("interval", "core.interval", "x.metric_key, x.value"),
            ("daily_total", "core.daily_total", "x.metric_key, x.value"),
            ("worn", "core.worn_window", "0, 0"),
        ):
            for user, device, ts, ends_at, version, metric, value in self.rows(
                db, table, f"x.ends_at, x.version, {key}"
            ):
                name, each = names.get(metric, ""), Sent(micros(ends_at), value, version)
                if name in ("", *OF_READINGS):
                    self.model.parts.setdefault((tenant, user), {})[kind, name, device, ts] = each
                if name not in OF_READINGS:
                    self.sent.setdefault((user, name), []).append((kind, device, ts, each))

    def read_names(self, db: Db, names: dict[int, str]) -> None:
        query = "SELECT {} FROM {} AS x JOIN core.tenant AS t USING (tenant_key) WHERE t.tenant_id = %s"
        for (user,) in db.execute(query.format("x.user_id", "core.app_user").encode(), [self.tenant]).fetchall():
            self.model.readings[self.tenant, user] = {}
        columns = "x.device_id, x.priority, x.device_key, x.metric_priorities"
        rows = db.execute(query.format(columns, "core.device").encode(), [self.tenant]).fetchall()
        for device, priority, registered, others in sorted(rows, key=lambda row: row[2]):
            metrics = {names[int(key)]: its for key, its in (others or {}).items()}
            self.model.devices[self.tenant, device] = Device(priority, registered, metrics)
            self.samples.devices.append(device)
            self.samples.priorities[device] = priority
            self.samples.of_metrics |= {(device, metric): its for metric, its in metrics.items()}

    def rows(self, db: Db, table: str, columns: str) -> Iterator[tuple[Any, ...]]:
        found = db.execute(OF_USERS.format(columns, table).encode(), [self.tenant]).fetchall()
        return ((user, device, micros(ts), *rest) for user, device, ts, *rest in found)

    def sums(self, user: str, metric: str) -> Sums:
        """Return what is known of a metric that adds up, beside those of readings."""
        grain = GRAIN[metric]
        sent = [*self.sent.get((user, metric), []), *self.sent.get((user, ""), [])]
        return Sums(
            metric,
            sorted(self.samples.devices, key=lambda device: self.samples.rank(device, metric)),
            [
                Instant(device, ts, micro(value) // grain)
                for (of, device, what, ts), value in self.samples.stored.items()
                if (of, what) == (user, metric)
            ],
            [
                Stretch(device, ts, each.end, micro(each.value) // grain, each.version)
                for kind, device, ts, each in sent
                if kind == "interval"
            ],
            [Window(device, ts, each.end) for kind, device, ts, each in sent if kind == "worn"],
            [
                Total(device, ts, each.end, micro(each.value) // grain, each.version)
                for kind, device, ts, each in sent
                if kind == "daily_total"
            ],
        )


@dataclass
class World:
    """What those who meet share."""

    seed: int
    goal: int
    stop: Event = field(default_factory=Event)
    asked: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    deeds: Counter[str] = field(default_factory=Counter)

    def story(self, number: int) -> Storyteller:
        """Return one of several who tell of the same days."""
        story = Storyteller(self.seed + number * len(ERAS), today())
        story.sums = ("steps", "steps", "calories", *GRAIN)
        return story


class Writer:
    """Does something, most often something more."""

    def __init__(self, world: World, number: int) -> None:
        self.world = world
        self.story = world.story(number)
        self.added = 0

    def turn(self, db: Db) -> None:
        kinds, weights = ["write", "merge", "samples"], [6, 6, 5]
        if self.added >= MOST:
            kinds, weights = ["overwrite", "again"], [3, 3]
        kinds, weights = [*kinds, "update", "delete", "erase", "prioritize"], [*weights, 1, 1.5, 0.2, 1.5]
        kind = self.story.random.choices(kinds, weights)[0]
        self.added += 1
        try:
            self.do(db, kind)
            self.world.deeds[kind] += 1
        except LOST:
            self.world.deeds["lost"] += 1
        self.world.stop.wait(self.story.random.choice([0, 0, 0.01, 0.1]))

    def do(self, db: Db, kind: str) -> None:
        story = self.story
        if kind in ("write", "overwrite"):
            write = story.write() if kind == "write" else Write(story.overwrites()[:1])
            if write.items:
                {"function": sql_client.write, "insert": sql_client.insert, "copy": sql_client.copy}[write.by](
                    db, write.items
                )
        elif kind == "merge":
            sql_client.merge(db, story.merge().parts)
        elif kind == "again":
            if again := {part[:6]: part for part in story.sent_again()}:
                sql_client.merge(db, list(again.values()))
        elif kind == "samples":
            self.write_samples(db)
        elif kind == "update" and story.written:
            sql_client.update(db, story.update().item)
        elif kind == "delete":
            gone = story.delete()
            delete = sql_client.delete if gone.by == "view" else sql_client.delete_readings
            delete(db, gone.tenant, gone.user, gone.start, gone.end, gone.device)
        elif kind == "erase":
            sql_client.erase(db, *story.random.choice(USERS))
        elif kind == "prioritize":
            given = story.prioritize()
            more = {story.random.choice([*OTHERS, *GRAIN]): story.random.choice([None, 0, 1, 999])}
            sql_client.set_priority(db, given.tenant, given.device, given.priority, {**given.metrics, **more})

    def write_samples(self, db: Db) -> None:
        r, newest = self.story.random, micros(self.story.now) + DAY
        tenant, user = r.choice(USERS)
        metrics = r.sample([*OTHERS, *GRAIN], 2)
        base, pace = self.story.moment(), r.choice([20_000_000, MINUTE, 7 * MINUTE])
        samples = [
            Sample(user, r.choice(DEVICES), r.choice(metrics), base + turn * pace, float(r.randrange(60, 100)))
            for turn in range(r.randrange(1, 30))
        ]
        if kept := {one[:4]: one for one in samples if one.ts < newest}:
            write_samples(db, tenant, list(kept.values()))


class Refresher:
    """Refreshes, with a further horizon or not, and with all the time it takes or a little."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.story = world.story(10)
        self.story.horizon = world.story(0).horizon

    def turn(self, db: Db) -> None:
        step = self.story.refresh()
        try:
            sql_client.aim(db, step.horizon, step.window)
            db.execute("CALL api.refresh(%s)", [self.story.random.choice([None, None, "0 seconds", "50 milliseconds"])])
            self.world.deeds["refresh"] += 1
        except LOST:
            self.world.deeds["lost"] += 1
        self.world.stop.wait(self.story.random.choice([0, 0.05, 0.3]))


class Asker:
    """Asks some questions in one snapshot, and judges the answers."""

    def __init__(self, world: World, number: int) -> None:
        self.world = world
        self.story = world.story(number)

    def turn(self, db: Db) -> None:
        r = self.story.random
        tenant = r.choice(USERS)[0]
        users = [user for of, user in USERS if of == tenant]
        with snapshot(db):
            state = State(db, tenant)
            for _ in range(r.randrange(1, 5)):
                what, question, got, right = self.ask(db, state, r.choice(users))
                self.world.asked[what] += 1
                if got != right:
                    where = db.execute("SELECT materialized, announced FROM core.horizon").fetchone()
                    self.world.wrong.append(f"{question}\ngot      {got}\nexpected {right}\nhorizon {where}")
                    self.world.stop.set()
        if self.world.asked.total() >= self.world.goal:
            self.world.stop.set()

    def ask(self, db: Db, state: State, user: str) -> tuple[str, Any, Any, Any]:
        """Return what kind of question was asked, the question, its answer and what is right."""
        r = self.story.random
        if r.random() < 0.6:
            ask = replace(self.story.ask(), tenant=state.tenant, user=user)
            ask = ask if ask.what in WHATS else replace(ask, what="summary")
            return ask.what, ask, *answers(db, state.model, ask)
        start, end = self.story.range()
        metrics = tuple(r.sample([*OTHERS, *GRAIN], r.choice([1, 2, 5])))
        bucket = r.choice(["auto", "1m", "5m", "15m", "1h", "1d", "1d", "1w", "1mo"])
        device = r.choice([None, None, None, *DEVICES])
        tz = r.choice([self.story.tz, self.story.tz, "UTC", "Asia/Kathmandu"])
        asked = Question(user, start, end, metrics, device, bucket, tz, r.choice([5, 100, 1000]))
        kind = r.choice(["metric summary", "metric series", "metric view"])
        question = {"metric summary": summary, "metric series": series, "metric view": view}[kind]
        return kind, asked, *question(db, state, asked)


def summary(db: Db, state: State, asked: Question) -> tuple[Any, Any]:
    rows = sample_summary(db, state.tenant, asked)
    got = {row[0]: row[7] if row[0] in GRAIN else row for row in rows}
    right = {
        metric: state.sums(asked.user, metric).whole(*asked[1:3], asked.device) for metric in in_order(asked, True)
    }
    others = replace_metrics(asked)
    return got, right | {row[0]: row for row in state.samples.summary(others)}


def series(db: Db, state: State, asked: Question) -> tuple[Any, Any]:
    used = auto_bucket(asked.start, asked.end, asked.max_points) if asked.bucket == "auto" else asked.bucket
    rows = sample_series(db, state.tenant, asked)
    got: dict[str, Any] = {
        metric: {row[0]: row[8] for row in rows if row[1] == metric} for metric in in_order(asked, True)
    }
    right: dict[str, Any] = {
        metric: state.sums(asked.user, metric).series(*asked[1:3], used, asked.tz, asked.device)
        for metric in in_order(asked, True)
    }
    got["others"] = [row for row in rows if row[1] not in GRAIN]
    right["others"] = state.samples.series(replace_metrics(asked))
    return got, right


def view(db: Db, state: State, asked: Question) -> tuple[Any, Any]:
    """Read what the views of all metrics have of the days that a range touches."""
    bucket = {"15m": "15m", "1h": "1h"}.get(asked.bucket, "1d")
    start, end = asked.start // DAY * DAY, -(-asked.end // DAY) * DAY
    whole = [state.tenant, asked.user, moment(start), moment(max(start, end)), list(asked.metrics)]
    rows = [(micros(at), *row) for at, *row in db.execute(VIEW.format(bucket).encode(), whole).fetchall()]
    got: dict[str, Any] = {
        metric: {row[0]: row[8] for row in rows if row[1] == metric} for metric in in_order(asked, True)
    }
    right: dict[str, Any] = {}
    for metric in in_order(asked, True):
        totals: Counter[int] = Counter()
        for minute, amount in state.sums(asked.user, metric).pieces(start, end, None):
            totals[bucket_start(minute, bucket, "UTC")] += amount
        right[metric] = {t: total / 10**6 for t, total in totals.items()}
    others = replace_metrics(asked)._replace(start=start, end=end, bucket=bucket, tz="UTC", device=None)
    got["others"] = sorted((row for row in rows if row[1] not in GRAIN), key=lambda row: (row[1], row[0]))
    right["others"] = sorted((row[:-1] for row in state.samples.series(others)), key=lambda row: (row[1], row[0]))
    return got, right


def in_order(asked: Question, sums: bool) -> list[str]:
    """Return the metrics of a question that add up, or the others."""
    return [metric for metric in asked.metrics if (metric in GRAIN) == sums]


def replace_metrics(asked: Question) -> Question:
    return asked._replace(metrics=tuple(in_order(asked, False)))


@contextmanager
def snapshot(db: Db) -> Iterator[None]:
    with db.transaction():
        db.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        # As docs/bi.md has it: a plan from before the snapshot would not know the chunks created in between.
        db.execute("SET LOCAL plan_cache_mode = force_custom_plan")
        yield


def at_once(world: World, url: str, turns: list[Callable[[Db], None]]) -> None:
    """Let all go on at the same time, each in a session of its own."""

    def run(turn: Callable[[Db], None]) -> None:
        try:
            with psycopg.connect(url, autocommit=True, options="-c timezone=UTC") as db:
                while not world.stop.is_set():
                    turn(db)
        except Exception as error:
            world.errors.append(repr(error))
            world.stop.set()

    threads = [Thread(target=run, args=[turn], daemon=True) for turn in turns]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@pytest.mark.parametrize("seed", range(FIRST, FIRST + max(1, QUESTIONS // EACH)))
def test_answers_are_of_their_snapshot(calm: Db, database_url: str, is_embedded: bool, seed: int) -> None:
    world = World(seed, min(EACH, QUESTIONS))
    writers = [Writer(world, number) for number in range(2)]
    sql_client.place_horizon(calm, world.story(0).horizon)
    world.stop.set()  # no pauses yet
    for _ in range(BEFORE):
        for writer in writers:
            writer.turn(calm)
    if seed % 2:
        calm.execute("CALL api.upkeep()")
    world.stop.clear()
    turns = [*(writer.turn for writer in writers), Refresher(world).turn]
    turns += [Asker(world, number).turn for number in (20, 21)]
    if is_embedded:
        chance = Random(seed)
        while not world.stop.is_set():
            chance.choice(turns)(calm)
    else:
        at_once(world, database_url, turns)
    print(f"{world.asked.total()} questions {dict(world.asked)}, {dict(world.deeds)}")
    assert world.errors == []
    assert world.wrong == [], f"seed {seed}"
    sql_client.refresh(calm, Refresher(world).story.horizon)
    middle = writers[0].story.middle
    assert sql_client.drift(calm, middle - 60 * DAY, middle + 60 * DAY) == []
