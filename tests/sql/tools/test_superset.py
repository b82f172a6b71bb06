"""Superset: charts, SQL Lab, and SQLAlchemy below it."""

from __future__ import annotations

import re
from datetime import datetime

import psycopg
import pytest

from tests.sql.tools.connections import engine
from tests.sql.tools.document import blocks, section, table
from tests.sql.tools.world import BERLIN, HOUR, World, by_hour, floor, hours_of_both, views


def moment(value: datetime) -> str:
    """Write a moment as Superset does, without its zone."""
    return f"TO_TIMESTAMP('{value.strftime('%Y-%m-%d %H:%M:%S.%f')}', 'YYYY-MM-DD HH24:MI:SS.US')"


def test_superset_draws_charts(world: World) -> None:
    first, last = floor(world.now, 24 * HOUR) - 168 * HOUR, floor(world.now, 24 * HOUR)
    heart_rate, steps, silent, population = (block.strip() for block in blocks("Superset", "sql"))
    (metric,) = re.findall(r"by the custom SQL `([^`]+)`", section("Superset"))
    grains = {name: sent for name, sent in table("Superset", "in a chart or SQL Lab").items() if "grain" in name}
    assert len(grains) == 2
    for grain in [*grains.values(), "DATE_TRUNC('day', bucket)"]:
        chart = f"""
            SELECT {grain} AS bucket, {metric} AS "heart rate"
            FROM ({heart_rate}) AS virtual_table
            WHERE bucket >= {moment(first)} AND bucket < {moment(last)} AND user_id IN ('ada')
            GROUP BY {grain}
            ORDER BY "heart rate" DESC
            LIMIT 10000
        """
        width = 24 * HOUR if "day" in grain else HOUR
        assert dict(world.ask(chart)) == world.heart_rates(width, first, last - HOUR), grain
    daily = f"""SELECT DATE_TRUNC('day', day) AS day, sum(steps) AS "steps" FROM ({steps}) AS virtual_table
              WHERE user_id IN ('ada') GROUP BY DATE_TRUNC('day', day) ORDER BY "steps" DESC LIMIT 10000"""
    walked, over = world.steps("ada"), [now.astimezone(BERLIN).date() for now in world.moments()]
    assert {start.date(): count for start, count in world.ask(daily)} in [
        {day: count for day, count in walked.items() if day < today} for today in over
    ]
    assert [row[0] for row in world.ask(f"SELECT * FROM ({silent}) AS virtual_table LIMIT 1000")] == ["bob"]
    hours = f"""SELECT bucket, users, heart_rate_avg, steps FROM ({population}) AS virtual_table
                WHERE bucket >= {moment(first)} AND bucket < {moment(last)} LIMIT 1000"""
    expected = {hour: row for hour, row in hours_of_both(world, first).items() if hour < last}
    assert by_hour(world, world.ask(hours)) == expected


def test_what_a_chart_filters_reaches_through_a_saved_query(world: World) -> None:
    query = blocks("Superset", "sql")[0].strip()
    condition = "bucket >= '2025-01-15' AND bucket < '2025-01-16' AND user_id = 'ada'"
    wrapped = world.ask(f"EXPLAIN (COSTS off) SELECT bucket FROM ({query}) AS virtual_table WHERE {condition}")
    direct = world.ask(
        f"EXPLAIN (COSTS off) SELECT bucket FROM api.vitals_1h WHERE tenant_id = 'default' AND {condition}"
    )
    assert len(wrapped) == len(direct)


def test_superset_runs_what_is_typed(world: World) -> None:
    """SQL Lab asks for the backend, which it would cancel, sets the schema, and shows a thousand rows."""
    with psycopg.connect(world.url, autocommit=True, options="-c timezone=UTC") as connection:
        connection.execute("SELECT pg_backend_pid()")
        connection.execute('set search_path = "api"')
        for block in blocks("Superset", "sql"):
            typed = block.strip().replace("api.", "")
            assert connection.execute(f"{typed}\nLIMIT 1001".encode()).fetchall()
            assert connection.execute(f"EXPLAIN {typed}".encode()).fetchone()


@pytest.mark.parametrize("driver", ["psycopg", "psycopg2"])
def test_sqlalchemy_inspects(world: World, driver: str) -> None:
    """What Superset, and others on SQLAlchemy, ask to list a schema."""
    sqlalchemy = pytest.importorskip("sqlalchemy", reason="SQLAlchemy is not installed")
    pytest.importorskip(driver, reason=f"{driver} is not installed")
    inspector = sqlalchemy.inspect(engine(sqlalchemy, world, driver))
    assert "api" in inspector.get_schema_names()
    assert inspector.get_table_names(schema="api") == []
    assert inspector.get_foreign_table_names(schema="api") == []
    assert inspector.get_materialized_view_names(schema="api") == []
    assert set(inspector.get_view_names(schema="api")) == set(views(world))
    for name in views(world):
        columns = inspector.get_columns(name, schema="api")
        assert all(column["comment"] for column in columns), name
        assert inspector.get_table_comment(name, schema="api")["text"]
        assert inspector.get_pk_constraint(name, schema="api")["constrained_columns"] == []
        assert inspector.get_foreign_keys(name, schema="api") == []
        assert inspector.get_indexes(name, schema="api") == []
        assert inspector.get_unique_constraints(name, schema="api") == []
        assert inspector.get_view_definition(name, schema="api")
    kinds = {column["name"]: column["type"] for column in inspector.get_columns("vitals_1h", schema="api")}
    assert kinds["bucket"].timezone
    assert isinstance(kinds["heart_rate_avg"], sqlalchemy.types.Float)
