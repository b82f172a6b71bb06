"""A priority of a single metric holds wherever devices are ranked, and for no other metric.

Of a watch and a phone the watch is better, but for steps and distance the phone. Everything that ranks devices is
asked, and a mutant of each place, which ranks by the device's priority alone, is noticed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from tests.support import sql_client
from tests.support.database import empty
from tests.support.interleaving import install, script
from tests.support.moments import DAY, HOUR, MINUTE, micros, moment
from tests.support.samples import Sample, write_samples
from tests.support.stored import Item, Part

NOON = 19_800 * DAY + 12 * HOUR
DROPPED = (NOON - 12 * HOUR, NOON + 12 * HOUR)
TODAY = micros(datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0))
DEVICES = {
    "watch": Item("default", "", "watch", 0, 70.0, 10, 1.5),
    "phone": Item("default", "", "phone", 0, 90.0, 20, 2.5),
}
OF_METRICS = {"steps": 0, "distance": 0}
RIGHT = (70.0, 20, 1.5)
LATEST = [("calories", 1.5, "watch"), ("heart_rate", 70.0, "watch"), ("steps", 20.0, "phone")]
VITALS = "SELECT heart_rate_avg, steps, calories FROM api.vitals_{} WHERE user_id = 'ada' AND bucket = %s"
ASKED = {
    "latest": "SELECT metric, value, device_id FROM api.latest('default', %s) ORDER BY metric",
    "latest samples": "SELECT metric, value, device_id FROM api.latest_samples('default', 'ada') ORDER BY metric",
    "best": """
        SELECT max(heart_rate), max(steps), max(calories) FROM api.best_readings WHERE user_id = 'ada' AND bucket = %s
    """,
    "overview": "SELECT steps, calories FROM api.overview('default', 'UTC', '{ada}')",
    "metrics": "SELECT total, avg FROM api.metric_summary('default', 'ada', %s, %s, '{distance,spo2}')",
    "by day": "SELECT total, avg FROM api.metric_series('default', 'ada', %s, %s, '{distance,spo2}', '1d', 'UTC')",
    "kept": """
        SELECT v.metric, v.value, d.device_id
          FROM core.last_value AS v JOIN core.device AS d USING (device_key) JOIN core.app_user AS u USING (user_key)
         WHERE u.user_id = 'ada'
         ORDER BY v.metric
    """,
}


def part(device: str, user: str, kind: str, ts: int, end: int) -> Part:
    return Part("default", user, device, kind, "steps", ts, end, float(DEVICES[device].steps or 0))


def fill(db: psycopg.Connection[Any], *, ranked_first: bool) -> None:
    """Store what both devices measured at the same moments, and roll up; metrics are ranked before or after that."""
    empty(db)
    sql_client.place_horizon(db, NOON - DAY)
    for device, priority in (("watch", 1), ("phone", 2)):
        sql_client.set_priority(db, "default", device, priority)
    if ranked_first:
        sql_client.set_priority(db, "default", "phone", None, OF_METRICS)
    moments = [("ada", NOON), ("ada", TODAY), ("lin", NOON)]
    sql_client.write(db, [one._replace(user=user, ts=ts) for one in DEVICES.values() for user, ts in moments])
    values = {"watch": 5.0, "phone": 7.0}
    write_samples(
        db,
        "default",
        [Sample("ada", device, metric, NOON, values[device]) for device in DEVICES for metric in ("distance", "spo2")],
    )
    parts = [part(device, "bob", "interval", NOON, NOON + MINUTE) for device in DEVICES]
    parts += [part(device, "eve", "daily_total", NOON - DAY, NOON) for device in DEVICES]
    sql_client.merge(db, parts)
    sql_client.refresh(db, NOON + HOUR)
    if not ranked_first:
        sql_client.set_priority(db, "default", "phone", None, OF_METRICS)


def three(db: psycopg.Connection[Any], user: str, start: int, end: int) -> tuple[Any, Any, Any]:
    whole = sql_client.summary(db, "default", user, start, end)
    return whole.heart_rate_avg, whole.steps, whole.calories


def rows(db: psycopg.Connection[Any], query: str, *values: Any) -> list[Any]:
    return db.execute(ASKED.get(query, query).encode(), values).fetchall()


def wrong(db: psycopg.Connection[Any]) -> list[str]:
    """Return which answers do not follow the ranks."""
    day = (NOON - 2 * DAY, NOON + DAY)
    of_metrics = [*rows(db, "metrics", moment(NOON), moment(NOON + 1)), *rows(db, "by day", *map(moment, day))]
    answers = {
        "rollups": three(db, "ada", *day) == RIGHT,
        "readings": three(db, "ada", TODAY, TODAY + HOUR) == RIGHT,
        "intervals": three(db, "bob", *day) == (None, 20, None),
        "daily totals": three(db, "eve", *day) == (None, 20, None),
        "latest of today": rows(db, "latest", "ada") == LATEST,
        "latest of before": rows(db, "latest", "lin") == LATEST,
        "latest of intervals": rows(db, "latest", "bob") == LATEST[2:],
        "latest samples": rows(db, "latest samples") == [("distance", 7.0, "phone"), ("spo2", 5.0, "watch")],
        "samples": of_metrics == [(None, 5.0), (7.0, None)] * 2,
        "overview": rows(db, "overview") == [(20, 1.5)],
    }
    for ts in (NOON, TODAY):
        answers[f"best readings of {ts}"] = rows(db, "best", moment(ts)) == [RIGHT]
        for bucket in ("1m", "15m"):
            answers[f"{bucket} of {ts}"] = rows(db, VITALS.format(bucket), moment(ts)) == [RIGHT]
    return [what for what, right in answers.items() if not right]


def drop(db: psycopg.Connection[Any]) -> list[Any]:
    """Drop the readings of the day; return what is kept of them."""
    assert db.execute("SELECT api_internal.drop_raw(%s, %s)", list(map(moment, DROPPED))).fetchone() == (True,)
    return rows(db, "kept")


@pytest.mark.parametrize("ranked_first", [True, False])
def test_a_priority_of_a_metric_holds_everywhere(db: psycopg.Connection[Any], ranked_first: bool) -> None:
    fill(db, ranked_first=ranked_first)
    assert wrong(db) == []
    sql_client.refresh(db, NOON + 2 * DAY)
    assert wrong(db) == []
    assert drop(db) == LATEST


STEPS = (r"steps, (\w+\.)?steps_rank", r"steps, \1heart_rate_rank")
OF_ONE = (r"steps'* THEN d\.steps_rank", "steps'' THEN d.heart_rate_rank")
OF_METRIC = (r"[de]\.metric_priorities", "NULL")
MARKS_OF_SAMPLES = (r"after\.priority, after\.metric_priorities,", "after.priority, before.metric_priorities,")
READERS = {
    "minutes": STEPS,
    "raw_minutes": STEPS,
    "raw_quarters_of": STEPS,
    "vitals_1m": STEPS,
    "overview": STEPS,
    "best_readings": (r"r\.steps_rank", "r.heart_rate_rank"),
    "recent_values": OF_ONE,
    "values_within": OF_ONE,
    "latest_with_intervals": (r"d\.steps_rank", "d.heart_rate_rank"),
    "counted_minutes": OF_METRIC,
    "counted_totals": OF_METRIC,
    "instant_buckets": OF_METRIC,
    "latest_of_samples": OF_METRIC,
}


@contextmanager
def mutated(db: psycopg.Connection[Any], name: str, pattern: str, replacement: str) -> Iterator[None]:
    text, times = re.subn(pattern, replacement, script(name))
    assert times, f"{pattern} is not in {name}: fit the mutant to the file again"
    install(db, text)
    try:
        yield
    finally:
        install(db, script(name))


def test_each_place_ranks_by_the_metric(db: psycopg.Connection[Any]) -> None:
    fill(db, ranked_first=False)
    for name, mutant in READERS.items():
        with mutated(db, name, *mutant):
            assert wrong(db) != [], name


@pytest.mark.parametrize(
    ("name", "mutant", "caught"),
    [
        ("roll_up_meetings", STEPS, "rollups"),
        ("set_device", (r"after\.steps_rank", "before.steps_rank"), "rollups"),
        ("set_device", MARKS_OF_SAMPLES, "samples"),
    ],
)
def test_rollups_follow_the_metric(
    db: psycopg.Connection[Any], name: str, mutant: tuple[str, str], caught: str
) -> None:
    with mutated(db, name, *mutant):
        fill(db, ranked_first=name == "roll_up_meetings")
        sql_client.refresh(db, NOON + 2 * DAY)
    assert caught in wrong(db)


def test_what_is_kept_follows_the_metric(db: psycopg.Connection[Any]) -> None:
    fill(db, ranked_first=True)
    sql_client.refresh(db, NOON + 2 * DAY)
    with mutated(db, "drop_raw", r"l\.steps, d\.steps_rank", "l.steps, d.heart_rate_rank"):
        assert drop(db) != LATEST


def test_what_is_set_is_shown_and_taken_away(db: psycopg.Connection[Any]) -> None:
    db.execute("SELECT api.set_metric('default', 'strain', '{score}', 'gauge', 0, 21)")
    sql_client.set_priority(db, "default", "ring", None, {"steps": 5, "strain": 0, "spo2": None})
    query = "SELECT priority, metrics FROM api.devices WHERE device_id = 'ring'"
    assert db.execute(query).fetchone() == (999, {"steps": 5, "strain": 0})
    sql_client.set_priority(db, "default", "ring", 3, {"steps": None})
    assert db.execute(query).fetchone() == (3, {"strain": 0})
    sql_client.set_priority(db, "default", "ring", None, {"strain": None})
    assert db.execute(query).fetchone() == (3, {})
    details = [detail for (detail,) in db.execute("SELECT detail FROM core.audit WHERE act = 'set device' ORDER BY at")]
    assert [detail["metrics"] for detail in details] == [
        {"steps": 5, "strain": 0, "spo2": None},
        {"steps": None},
        {"strain": None},
    ]


def test_a_metric_marks_only_where_the_device_measured_it(db: psycopg.Connection[Any]) -> None:
    fill(db, ranked_first=True)
    sql_client.refresh(db, NOON + 2 * DAY)
    for metrics, marked in (({"steps": 0}, 0), ({"calories": 2}, 0), ({"floors": 0}, 0), ({"calories": 0}, 2)):
        sql_client.set_priority(db, "default", "phone", 2, metrics)
        assert sql_client.stale_days(db) == marked, metrics


@pytest.mark.parametrize(
    ("metrics", "said", "hint"),
    [
        ('{"step": 1}', "metrics has step", "Did you mean steps? "),
        ('{"steps": 1.5}', "metrics.steps is 1.5", "It must be a whole number"),
        ('{"steps": -1}', "metrics.steps is -1", "It must be a whole number"),
        ('{"steps": 2147483648}', "metrics.steps is 2147483648", "It must be a whole number"),
        ('{"steps": "1"}', 'metrics.steps is "1"', "It must be a whole number"),
        ('["steps"]', 'metrics is ["steps"]', "It must be an object"),
    ],
)
def test_it_refuses(db: psycopg.Connection[Any], metrics: str, said: str, hint: str) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue) as refused:
        db.execute("SELECT api.set_device('default', 'ring', NULL, 1, %s::jsonb)", [metrics])
    assert refused.value.diag.message_primary == said
    assert (refused.value.diag.message_hint or "").startswith(hint)
    assert db.execute("SELECT count(*) FROM api.devices WHERE device_id = 'ring'").fetchone() == (0,)


def test_a_metric_of_another_tenant_is_not_known(db: psycopg.Connection[Any]) -> None:
    db.execute("SELECT api.set_metric('other', 'strain', '{score}', 'gauge', 0, 21)")
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="metrics has strain"):
        sql_client.set_priority(db, "default", "ring", None, {"strain": 1})
