"""The last value of a metric in a range: found by the rollups where they hold, else by the readings."""

from __future__ import annotations

import random
from typing import Any

import psycopg
import pytest

from tests.support import sql_client
from tests.support.moments import HOUR, MINUTE, micros, moment
from tests.support.reference_model import Model
from tests.support.stored import Item

METRICS = ("heart_rate", "steps", "calories")
QUARTER = 15 * MINUTE
BEGIN = 19_800 * 24 * HOUR  # 2024-03-18
END = BEGIN + 36 * HOUR
HORIZON = BEGIN + 30 * HOUR
ASK = """
    SELECT u.user_id, q.metric, q.ts, q.value, q.device_id
      FROM (SELECT array_agg(user_key ORDER BY user_id, m) AS users, array_agg(m ORDER BY user_id, m) AS metrics
              FROM core.app_user, unnest(%s::text[]) AS m) AS a
     CROSS JOIN LATERAL api_internal.quarter_values(a.users, a.metrics, %s, %s) AS q
      JOIN core.app_user AS u USING (user_key)
"""


def asked(db: psycopg.Connection[Any], since: int, until: int) -> set[tuple[str, str, int, float, str]]:
    """Return the last values in a range, of all metrics of all users."""
    rows = db.execute(ASK, [list(METRICS), moment(since), moment(until)]).fetchall()
    found = [(user, metric, micros(ts), value, device) for user, metric, ts, value, device in rows]
    assert len(set(found)) == len(found)
    return set(found)


def counted(model: Model, since: int, until: int) -> set[tuple[str, str, int, float, str]]:
    """Return the same, counted from all readings."""
    found = set()
    for (tenant, user), stored in model.readings.items():
        for metric in METRICS:
            candidates = [
                (-ts, model.rank(tenant, device, metric), device, getattr(values, metric))
                for (device, ts), values in stored.items()
                if since <= ts < until and getattr(values, metric) is not None
            ]
            if candidates:
                negative, _, device, value = min(candidates)
                found.add((user, metric, -negative, value, device))
    return found


def edge(chance: random.Random) -> int:
    """Return the beginning of a quarter of an hour."""
    return BEGIN + chance.randrange((END - BEGIN) // QUARTER) * QUARTER


def some(chance: random.Random, count: int) -> list[Item]:
    """Return readings of two people; each device measures what it measures, for some hours."""
    items = {}
    sends = {"watch": "heart_rate", "phone": "steps", "scale": "calories"}
    for _ in range(count):
        device = chance.choice(list(sends))
        user = chance.choice(("ada", "bo"))
        ts = edge(chance) + chance.choice((0, 0, 1, QUARTER - 1, chance.randrange(QUARTER)))
        values = dict.fromkeys(METRICS) | {sends[device]: chance.randrange(60, 90)}
        if chance.random() < 0.1:
            values["steps"] = 7
        if values["calories"] is not None and ts % (6 * HOUR) > HOUR:
            continue
        items[user, device, ts] = Item("default", user, device, ts, **values)
    return list(items.values())


@pytest.mark.parametrize("seed", range(8))
def test_the_last_values_are_those_of_all_readings(db: psycopg.Connection[Any], seed: int) -> None:
    """Rolled up, partly marked, deleted below a mark, and above the horizon; of any range."""
    chance = random.Random(seed)
    model = Model()
    sql_client.place_horizon(db, BEGIN)
    for late in range(4):
        items = some(chance, 60 if late == 0 else 6)
        sql_client.write(db, items)
        model.write(items)
        if late == 0:
            sql_client.refresh(db, HORIZON)
        if late == 2:
            start = BEGIN + chance.randrange(34 * 4) * QUARTER
            db.execute(sql_client.DELETE, ["default", "ada", moment(start), moment(start + 2 * HOUR)])
            stored = model.readings["default", "ada"]
            for device, ts in [key for key in stored if start <= key[1] < start + 2 * HOUR]:
                del stored[device, ts]
        for _ in range(40):
            since, until = sorted(edge(chance) + chance.choice((0, 1, -1)) for _ in range(2))
            assert asked(db, since, until) == counted(model, since, until)
        assert asked(db, BEGIN, END) == counted(model, BEGIN, END)


def test_a_metric_that_a_device_never_sends_costs_no_look_at_its_readings(db: psycopg.Connection[Any]) -> None:
    """A reading a second of a day, without calories: what is read does not depend on how many there are."""
    sql_client.write(db, [Item("default", "ada", "watch", BEGIN, 70.0, 1, None)])
    db.execute(
        "INSERT INTO core.reading (user_key, device_key, ts, heart_rate, steps)"
        " SELECT r.user_key, r.device_key, r.ts + n * INTERVAL '1 second', 70, 1"
        " FROM core.reading AS r, generate_series(1, 86399) AS n ON CONFLICT DO NOTHING"
    )
    sql_client.refresh(db, END)
    assert {metric for _, metric, *_ in asked(db, BEGIN, END)} == {"heart_rate", "steps"}
    asking = [list(METRICS), moment(BEGIN), moment(END)]
    row = db.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {ASK}", asking).fetchone()
    assert row is not None
    plan = row[0][0]["Plan"]
    assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < 400
