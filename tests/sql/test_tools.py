"""The SQL of docs/bi.md for each tool, as it is sent, by a role that only reads; and what tools ask on connecting."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tests.sql.people import REPORTS
from tests.support.database import empty
from tests.support.paths import ROOT

NAME = f"tool_{os.getpid()}"  # roles are shared by all databases of a server
HOUR = timedelta(hours=1)
BERLIN = ZoneInfo("Europe/Berlin")
ELSEWHERE = "America/New_York"
Rows = list[tuple[Any, ...]]

FILL = """
    INSERT INTO api.readings (user_id, device_id, ts, heart_rate, steps)
      SELECT u.user_id, 'watch', date_trunc('minute', now()) - n * INTERVAL '20 minutes', 60 + n % 17, n % 11
        FROM (VALUES ('ada', 1), ('bob', 200)) AS u (user_id, first), generate_series(1, 800) AS n
       WHERE n >= u.first
"""


class Reading(NamedTuple):
    """A reading of the one device that each user wears."""

    user: str
    ts: datetime
    heart_rate: float
    steps: int


class World(NamedTuple):
    """A database with readings until now, and a user who may only read."""

    owner: psycopg.Connection[Any]
    url: str
    now: datetime
    readings: list[Reading]

    def ask(self, statement: str, parameters: dict[str, Any] | None = None, zone: str = "UTC") -> Rows:
        """Return the rows of a statement, asked in a session of a zone."""
        with psycopg.connect(self.url, autocommit=True, options=f"-c timezone={zone}") as connection:
            return connection.execute(statement.encode(), parameters).fetchall()

    def moments(self) -> list[datetime]:
        """Return what now() may have been since the readings were written: an hour may have begun since."""
        return [self.now, datetime.now(UTC)]

    def hours(self) -> set[int]:
        """Return how many hours of the last week ada reported in, at each of these moments."""
        mine = {floor(reading.ts, HOUR) for reading in self.readings if reading.user == "ada"}
        return {sum(hour >= now - 168 * HOUR for hour in mine) for now in self.moments()}

    def steps(self, user: str) -> dict[date, int]:
        """Return a user's steps by day of Berlin."""
        found: dict[date, int] = defaultdict(int)
        for reading in self.readings:
            if reading.user == user:
                found[reading.ts.astimezone(BERLIN).date()] += reading.steps
        return dict(found)

    def heart_rates(self, width: timedelta, first: datetime, last: datetime) -> dict[datetime, Any]:
        """Return ada's average heart rates by bucket, of the whole hours that begin between two moments."""
        found: dict[datetime, list[float]] = defaultdict(list)
        for reading in self.readings:
            if reading.user == "ada" and first <= floor(reading.ts, HOUR) <= last:
                found[floor(reading.ts, width)].append(reading.heart_rate)
        return {bucket: pytest.approx(sum(rates) / len(rates)) for bucket, rates in sorted(found.items())}


def floor(moment: datetime, width: timedelta) -> datetime:
    """Return the start of a moment's bucket."""
    return moment - (moment - datetime(2000, 1, 3, tzinfo=UTC)) % width


@pytest.fixture(scope="module")
def world(database_url: str) -> Iterator[World]:
    """Two users, of whom one went silent; a role as docs/bi.md creates one for a tool."""
    with psycopg.connect(database_url, autocommit=True, options="-c timezone=UTC") as owner:
        empty(owner)
        owner.execute(FILL)
        owner.execute("CALL api.refresh()")
        owner.execute("CALL api.upkeep()")
        owner.execute(f"CREATE ROLE {NAME} LOGIN PASSWORD 'tool' IN ROLE bi_reader".encode())
        owner.execute(f"ALTER ROLE {NAME} SET default_transaction_isolation = 'repeatable read'".encode())
        owner.execute(f"ALTER ROLE {NAME} SET plan_cache_mode = 'force_custom_plan'".encode())
        rows = owner.execute("SELECT user_id, ts, heart_rate, steps FROM api.readings ORDER BY ts").fetchall()
        row = owner.execute("SELECT now()").fetchone()
        assert row is not None
        url = make_conninfo(database_url, user=NAME, password="tool")
        yield World(owner, url, row[0], [Reading(*reading) for reading in rows])
        owner.execute(f"DROP OWNED BY {NAME}; DROP ROLE {NAME}".encode())


# What the document says


def section(title: str) -> str:
    """Return what stands below a heading of docs/bi.md."""
    text = (ROOT / "docs" / "bi.md").read_text(encoding="utf-8")
    (found,) = re.findall(rf"^## {title}\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
    return str(found)


def blocks(title: str, language: str) -> list[str]:
    """Return the fenced blocks of a section that are in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", section(title), re.DOTALL | re.MULTILINE)


def table(title: str, header: str) -> dict[str, str]:
    """Return the first code of each row of the table that begins with this header, by what its first cell says."""
    (body,) = re.findall(rf"^\| {header} \|.*?\n\| --- .*?\n((?:\|.*\n)+)", section(title), re.MULTILINE)
    cells = [[cell.strip() for cell in row.strip("|").split(" | ")] for row in body.splitlines()]
    return {first.strip("| "): code[0] for first, second in cells if (code := re.findall(r"`([^`]+)`", second))}


def test_every_tool_has_a_section_with_sql() -> None:
    counted = {tool: len(blocks(tool, "sql")) for tool in ("Grafana", "Metabase", "Superset", "DuckDB", "dbt")}
    assert counted == {"Grafana": 6, "Metabase": 4, "Superset": 4, "DuckDB": 3, "dbt": 3}
    assert [len(blocks("pandas and polars", "python")), len(blocks("psql", "psql"))] == [2, 1]


# Grafana


def grafana(written: str, first: datetime, last: datetime, timescaledb: bool = True) -> str:
    """Expand macros as Grafana's PostgreSQL data source does, and a variable with one value."""
    start, end = (moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") for moment in (first, last))
    seconds = {"m": 60, "h": 3600, "d": 86400}

    def expand(macro: re.Match[str]) -> str:
        name, arguments = macro[1], [part.strip() for part in macro[2].split(",")]
        column = arguments[0]
        if name == "__timeFilter":
            return f"{column} BETWEEN '{start}' AND '{end}'"
        if name in ("__timeFrom", "__timeTo"):
            return f"'{start if name == '__timeFrom' else end}'"
        width = arguments[1].strip("'")
        length = int(width[:-1]) * seconds[width[-1]]
        group = f"floor(extract(epoch from {column})/{length})*{length}"
        if timescaledb:
            group = f"time_bucket('{length:.3f}s',{column})"
        # A comma right behind the macro makes it an alias, for panels of Grafana 5.2 and before.
        followed = written[macro.end() : macro.end() + 1] == ","
        assert name in ("__timeGroup", "__timeGroupAlias"), name
        return f'{group} AS "time"' if name == "__timeGroupAlias" or followed else group

    return re.sub(r"\$(__[a-zA-Z]+)\(([^)]*)\)", expand, written).replace("$user", "ada")


def test_grafana_sends_what_the_document_says() -> None:
    first, last = datetime(2025, 1, 15, tzinfo=UTC), datetime(2025, 1, 22, 12, 30, tzinfo=UTC)
    for written, sent in table("Grafana", "written").items():
        macro = written.split("`")[1]
        assert grafana(macro, first, last, "off" not in written) == sent


@pytest.mark.parametrize("zone", ["UTC", ELSEWHERE])
def test_grafana(world: World, zone: str) -> None:
    last = world.now.replace(microsecond=0)
    first = last - 168 * HOUR
    users, series, groups, days, silent, population = blocks("Grafana", "sql")

    def ask(block: str, timescaledb: bool = True) -> Rows:
        return world.ask(grafana(block, first, last, timescaledb), zone=zone)

    assert ask(users) == [("ada",), ("bob",)]
    mine = [reading.ts for reading in world.readings if reading.user == "ada" and reading.ts >= first]
    assert [row[0] for row in ask(series)] == sorted({floor(ts, HOUR / 4) for ts in mine})
    expected = world.heart_rates(6 * HOUR, first, last)
    assert dict(ask(groups)) == expected
    assert {datetime.fromtimestamp(float(t), UTC): rate for t, rate in ask(groups, False)} == expected
    begin = first.astimezone(BERLIN).date()
    assert [(start.astimezone(BERLIN).date(), steps) for start, steps, _ in ask(days)] == [
        (day, steps) for day, steps in world.steps("ada").items() if day >= begin
    ]
    assert [row[0] for row in ask(silent)] == ["bob"]
    assert by_hour(world, ask(population)) == hours_of_both(world, first)


def test_the_dashboard_of_health_data(world: World) -> None:
    """Its variables and panels, which Grafana is given as a file."""
    board = json.loads((ROOT / "deploy/grafana/dashboards/health.json").read_text(encoding="utf-8"))
    last = world.now.replace(microsecond=0)

    def ask(text: str) -> Rows:
        return world.ask(grafana(text.replace("$tenant", "default"), last - 168 * HOUR, last))

    assert [ask(variable["query"]) for variable in board["templating"]["list"]] == [
        [("default",)],
        [("ada",), ("bob",)],
    ]
    rows = {panel["title"]: ask(panel["targets"][0]["rawSql"]) for panel in board["panels"]}
    assert len(rows) == 6
    assert [title for title, found in rows.items() if not found] == []
    assert [row[0] for row in rows["Silent for a day"]] == ["bob"]


def by_hour(world: World, rows: Rows) -> dict[datetime, tuple[int, int]]:
    """Return users and steps by hour, of those hours that upkeep has certainly taken in."""
    return {bucket: (users, steps) for bucket, users, _, steps in rows if bucket < world.now - 4 * HOUR}


def hours_of_both(world: World, first: datetime) -> dict[datetime, tuple[int, int]]:
    """Return how many users reported something in each of these hours, and their steps."""
    found: dict[datetime, list[Reading]] = defaultdict(list)
    for reading in world.readings:
        if first <= floor(reading.ts, HOUR) < world.now - 4 * HOUR:
            found[floor(reading.ts, HOUR)].append(reading)
    return {hour: (len({r.user for r in group}), sum(r.steps for r in group)) for hour, group in found.items()}


def test_grafana_finds_views_and_columns(world: World) -> None:
    """Its pickers read information_schema; what is not in the search path is named with its schema."""
    assert int(world.ask("SELECT current_setting('server_version_num')::int / 100")[0][0]) >= 1500
    assert world.ask("SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'")
    path = """
        SELECT CASE trim(s) WHEN '"$user"' THEN user::text ELSE trim(s) END
          FROM unnest(string_to_array(current_setting('search_path'), ',')) AS s
    """
    listed = world.ask(f"""
        SELECT CASE WHEN quote_ident(table_schema) IN ({path}) THEN quote_ident(table_name)
                    ELSE quote_ident(table_schema) || '.' || quote_ident(table_name) END
          FROM information_schema.tables
         WHERE table_schema NOT IN ('information_schema', 'pg_catalog', 'timescaledb_information',
                                    'timescaledb_experimental', '_timescaledb_cache', '_timescaledb_catalog',
                                    '_timescaledb_config', '_timescaledb_internal')
         ORDER BY 1
    """)
    assert {name for (name,) in listed} >= {f"api.{view}" for view in views(world)}
    assert not [name for (name,) in listed if re.match(r"(core|rollup|api_internal)\.", name)]
    columns = world.ask("""
        SELECT quote_ident(column_name), data_type
          FROM information_schema.columns
         WHERE quote_ident(table_schema) = (parse_ident('api.vitals_1h'))[1]
           AND quote_ident(table_name) = (parse_ident('api.vitals_1h'))[2]
    """)
    assert ("bucket", "timestamp with time zone") in columns
    assert ("heart_rate_avg", "double precision") in columns


def views(world: World) -> list[str]:
    """Return the names of the views of api."""
    return [name for (name,) in world.owner.execute("SELECT viewname FROM pg_views WHERE schemaname = 'api'")]


# Metabase


def metabase(written: str, view: str, filtered: bool = True) -> str:
    """Put parameters in place of variables, and of a field filter on a moment what Metabase makes of it."""
    column = f'"api"."{view}"."bucket"'
    text = re.sub(r"\[\[(.*?)\]\]", r"\1" if filtered else "", written)
    text = text.replace("{{range}}", f"{column} >= %(start)s AND {column} < %(end)s")
    return re.sub(r"\{\{(\w+)\}\}", r"%(\1)s", text)


def test_metabase(world: World) -> None:
    first = floor(world.now, HOUR) - 168 * HOUR
    of_range = {"user": "ada", "start": first, "end": floor(world.now, HOUR)}
    days = {"user": "ada", "from": date.fromordinal(world.now.toordinal() - 7), "to": world.now.date()}
    heart_rate, steps, silent, population = blocks("Metabase", "sql")
    # The session of a Java machine that is elsewhere, as the pool hands it out.
    with psycopg.connect(world.url, autocommit=True, options=f"-c timezone={ELSEWHERE}") as connection:
        connection.execute("SET extra_float_digits = 3")
        connection.execute("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY")
        connection.execute("SET SESSION TIMEZONE TO 'UTC';")

        def ask(block: str, view: str = "", parameters: dict[str, Any] | None = None, **options: bool) -> Rows:
            return connection.execute(metabase(block, view, **options).encode(), parameters).fetchall()

        expected = world.heart_rates(HOUR, first, of_range["end"] - HOUR)
        assert {bucket: average for bucket, average, *_ in ask(heart_rate, "vitals_1h", of_range)} == expected
        assert len(ask(heart_rate, "vitals_1h", {"user": "ada"}, filtered=False)) > len(expected)
        walked = world.steps("ada")
        assert [(day, count) for day, count, _ in ask(steps, "", days)] == [
            (day, walked[day]) for day in sorted(walked) if days["from"] <= day < days["to"]
        ]
        ((user, seen, hours),) = ask(silent)
        assert (user, int(hours)) == ("bob", (world.now - seen) // HOUR)
        assert by_hour(world, ask(population, "population_1h", of_range)) == hours_of_both(world, first)


def test_metabase_builds_queries(world: World) -> None:
    sent = table("Metabase", "in the query builder")
    assert len(sent) == 4
    where = sent.pop("the last 7 days")
    for expression in [*sent.values(), "CAST(CAST(bucket AS date) AS timestamptz)"]:
        qualified = expression.replace("bucket", '"api"."vitals_1h"."bucket"')
        since = where.replace("bucket", '"api"."vitals_1h"."bucket"')
        rows = world.ask(f"""
            SELECT {qualified} AS "bucket", SUM("api"."vitals_1h"."steps") AS "sum"
              FROM "api"."vitals_1h"
             WHERE ({since}) AND ("api"."vitals_1h"."user_id" = 'ada')
             GROUP BY {qualified}
             ORDER BY {qualified} ASC
             LIMIT 1048575
        """)
        sums = []
        for now in world.moments():
            today = floor(now, 24 * HOUR)
            mine = (r for r in world.readings if r.user == "ada" and today - 168 * HOUR <= r.ts < today)
            sums.append(sum(reading.steps for reading in mine))
        assert sum(steps for _, steps in rows) in sums, expression


def test_metabase_syncs(world: World) -> None:
    """It reads tables, columns, comments and privileges in the catalogs, then rows of each view."""
    assert world.ask("SHOW timezone") == [("UTC",)]
    tables = world.ask("""
        SELECT n.nspname, c.relname, c.relkind, d.description, s.n_live_tup
          FROM pg_catalog.pg_class AS c
          JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
          LEFT JOIN pg_catalog.pg_description AS d
                 ON d.objoid = c.oid AND d.objsubid = 0 AND d.classoid = 'pg_class'::regclass
          LEFT JOIN pg_stat_user_tables AS s ON s.schemaname = n.nspname AND s.relname = c.relname
         WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND c.relkind IN ('r', 'p', 'v', 'f', 'm')
           AND n.nspname = ANY (ARRAY['api'])
    """)
    assert {name for _, name, kind, comment, _ in tables if kind == "v"} == set(views(world))
    assert all(comment for *_, comment, _ in tables)
    readable = world.ask("""
        SELECT v.schemaname, v.viewname,
               has_any_column_privilege(current_user, v.name, 'select'),
               has_any_column_privilege(current_user, v.name, 'insert'),
               has_table_privilege(current_user, v.name, 'delete')
          FROM (SELECT *, quote_ident(schemaname) || '.' || quote_ident(viewname) AS name FROM pg_catalog.pg_views) AS v
         WHERE v.schemaname !~ '^pg_' AND v.schemaname <> 'information_schema'
           AND has_schema_privilege(current_user, v.schemaname, 'usage')
    """)
    assert {row[1:] for row in readable if row[0] == "api"} == {(name, True, False, False) for name in views(world)}
    fields = world.ask("""
        SELECT c.table_schema, c.table_name, c.column_name, c.udt_name, k.column_name IS NOT NULL,
               col_description(format('%I.%I', c.table_schema, c.table_name)::regclass::oid, c.ordinal_position)
          FROM information_schema.columns AS c
          LEFT JOIN (SELECT t.table_schema, t.table_name, u.column_name
                       FROM information_schema.table_constraints AS t
                       JOIN information_schema.key_column_usage AS u
                         ON u.constraint_name = t.constraint_name AND u.table_schema = t.table_schema
                        AND u.table_name = t.table_name
                      WHERE t.constraint_type = 'PRIMARY KEY') AS k
                 ON k.table_schema = c.table_schema AND k.table_name = c.table_name AND k.column_name = c.column_name
         WHERE c.table_schema !~ '^information_schema|catalog_history|pg_'
         ORDER BY c.table_schema, c.table_name, c.ordinal_position
    """)
    mine = [field for field in fields if field[0] == "api"]
    assert ("api", "vitals_1h", "bucket", "timestamptz", False, "Start of the hour, UTC.") in mine
    assert all(field[-1] for field in mine)
    world.ask("""
        SELECT n.nspname, t.typname FROM pg_type AS t JOIN pg_namespace AS n ON n.oid = t.typnamespace
         WHERE t.oid IN (SELECT enumtypid FROM pg_enum)
    """)
    world.ask("""
        SELECT f.nspname, c.conrelid::regclass::text
          FROM pg_constraint AS c JOIN pg_namespace AS f ON f.oid = c.connamespace
         WHERE c.contype = 'f'::"char" AND f.nspname = 'api'
    """)
    for name in views(world):
        columns = [f'"api"."{name}"."{field[2]}" AS "{field[2]}"' for field in mine if field[1] == name]
        world.ask(f'SELECT TRUE AS "_" FROM "api"."{name}" WHERE 1 <> 1 LIMIT 0')
        world.ask(f'SELECT {", ".join(columns)} FROM "api"."{name}" LIMIT 10000')
    world.ask("""
        SELECT "api"."users"."user_id" AS "user_id" FROM "api"."users"
         GROUP BY "api"."users"."user_id" ORDER BY "api"."users"."user_id" ASC LIMIT 1000
    """)


def test_the_jdbc_driver_lists_views_and_columns(world: World) -> None:
    """DatabaseMetaData, which DBeaver, Tableau and others read, joins the catalogs in its own way."""
    tables = world.ask("""
        SELECT n.nspname, c.relname, CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'r' THEN 'TABLE' END, d.description
          FROM pg_catalog.pg_namespace AS n
          JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid
          LEFT JOIN pg_catalog.pg_description AS d
                 ON c.oid = d.objoid AND d.objsubid = 0 AND d.classoid = 'pg_class'::regclass
         WHERE n.nspname LIKE 'api' AND c.relname LIKE '%' AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
         ORDER BY 3, 1, 2
    """)
    assert {(name, kind) for _, name, kind, _ in tables} == {(name, "VIEW") for name in views(world)}
    columns = world.ask(r"""
        SELECT * FROM (
          SELECT n.nspname, c.relname, a.attname, a.atttypid, a.attnotnull, a.atttypmod,
                 row_number() OVER (PARTITION BY a.attrelid ORDER BY a.attnum) AS place,
                 nullif(a.attidentity, '') AS identity, pg_catalog.pg_get_expr(e.adbin, e.adrelid) AS preset,
                 d.description, t.typbasetype, t.typtype
            FROM pg_catalog.pg_namespace AS n
            JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid
            JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid
            JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid
            LEFT JOIN pg_catalog.pg_attrdef AS e ON e.adrelid = a.attrelid AND e.adnum = a.attnum
            LEFT JOIN pg_catalog.pg_description AS d ON d.objoid = c.oid AND d.objsubid = a.attnum
            LEFT JOIN pg_catalog.pg_class AS dc ON dc.oid = d.classoid AND dc.relname = 'pg_class'
            LEFT JOIN pg_catalog.pg_namespace AS dn ON dn.oid = dc.relnamespace AND dn.nspname = 'pg_catalog'
           WHERE c.relkind IN ('r', 'p', 'v', 'f', 'm') AND a.attnum > 0 AND NOT a.attisdropped
             AND n.nspname LIKE 'api' AND c.relname LIKE 'vitals\_1h') AS c
         WHERE true
         ORDER BY nspname, relname, place
    """)
    assert [row[2] for row in columns][:3] == ["tenant_id", "user_id", "bucket"]
    assert all(row[9] for row in columns)


# Superset


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


def engine(sqlalchemy: Any, world: World, driver: str = "psycopg") -> Any:
    """Return an engine with the parameters that the document has for Superset."""
    (parameters,) = blocks("Superset", "json")
    return sqlalchemy.create_engine(
        address(world, f"postgresql+{driver}"), poolclass=sqlalchemy.pool.NullPool, **json.loads(parameters)
    )


def address(world: World, scheme: str = "postgresql") -> str:
    """Return the database's address as a URI."""
    parts = conninfo_to_dict(world.url)
    return f"{scheme}://{NAME}:tool@{parts['host']}:{parts['port']}/{parts['dbname']}"


# pandas and polars


def run_python(world: World, code: str, shown: str) -> str:
    """Run a recipe against this database in a process of its own, and return what an expression comes to."""
    moved = re.sub(r"postgresql(\+psycopg)?://\S+?/postgres", lambda m: address(world, f"postgresql{m[1] or ''}"), code)
    assert moved != code
    done = subprocess.run(
        [sys.executable, "-c", f"{moved}\nprint({shown})"], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_pandas(world: World) -> None:
    pytest.importorskip("pandas", reason="pandas is not installed")
    pytest.importorskip("sqlalchemy", reason="SQLAlchemy is not installed")
    shown = (
        "len(heart_rate), steps[steps.user_id == 'ada'].steps.sum(), "
        "heart_rate.index.tz, local.index.tz, silent.user_id.tolist(), population.users.max()"
    )
    said = run_python(world, blocks("pandas and polars", "python")[0], shown).split(" ", 2)
    weeks = []
    for now in world.moments():
        today = now.astimezone(BERLIN).date()
        weeks.append(sum(n for day, n in world.steps("ada").items() if today - timedelta(days=7) <= day < today))
    assert int(said[0]) in world.hours()
    assert int(said[1]) in weeks
    assert said[2] == "UTC Europe/Berlin ['bob'] 2"


def test_polars(world: World) -> None:
    pytest.importorskip("polars", reason="polars is not installed")
    pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    pytest.importorskip("adbc_driver_postgresql", reason="adbc-driver-postgresql is not installed")
    zone = """pl.read_database_uri("SELECT current_setting('timezone')", URI, engine="adbc").item()"""
    shown = f"heart_rate.height, steps['user_id'].n_unique(), {zone}, heart_rate.schema['bucket']"
    height, *rest = run_python(world, blocks("pandas and polars", "python")[1], shown).split(" ", 3)
    assert int(height) in world.hours()
    assert rest == ["2", "UTC", "Datetime(time_unit='us', time_zone='UTC')"]


def test_polars_takes_an_engine(world: World) -> None:
    polars = pytest.importorskip("polars", reason="polars is not installed")
    sqlalchemy = pytest.importorskip("sqlalchemy", reason="SQLAlchemy is not installed")
    found = polars.read_database("SELECT user_id FROM api.users ORDER BY 1", engine(sqlalchemy, world))
    assert found["user_id"].to_list() == ["ada", "bob"]


# DuckDB


def test_duckdb_copies_views(world: World) -> None:
    """Its transactions, and the binary COPY in which it reads a view, in one simple query each."""
    with psycopg.connect(world.url, autocommit=True) as connection:
        connection.execute("BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY;\nSELECT pg_is_in_recovery()")
        reading = """
            COPY (SELECT "bucket", "heart_rate_avg" FROM "api"."vitals_1h"
                   WHERE "user_id" = 'ada' COLLATE "C" AND "bucket" >= '2025-01-15 00:00:00+00')
              TO STDOUT (FORMAT "binary");
        """
        with connection.cursor().copy(reading) as copy:
            copy.set_types(["timestamptz", "float8"])
            rows = list(copy.rows())
        connection.execute("COMMIT")
    assert len(rows) > 200
    assert all(isinstance(bucket, datetime) for bucket, _ in rows)


def test_duckdb(world: World, tmp_path: Path) -> None:
    duckdb = pytest.importorskip("duckdb", reason="duckdb is not installed")
    package = pytest.importorskip(
        "duckdb_extension_postgres_scanner", reason="duckdb-extension-postgres-scanner is not installed"
    )
    (extension,) = (Path(package.__file__).parent / "extensions").rglob("*.duckdb_extension")
    attach, heart_rate, others = blocks("DuckDB", "sql")
    parts = conninfo_to_dict(world.url)
    reached = f"host={parts['host']} port={parts['port']} dbname={parts['dbname']} user={NAME} password=tool"
    attach = attach.replace("host=127.0.0.1 port=15432 dbname=postgres user=analyst", reached)
    assert reached in attach
    with duckdb.connect() as connection:
        # In place of a download.
        assert attach.startswith("INSTALL postgres;\nLOAD postgres;\n")
        connection.execute(f"LOAD '{extension}';\n" + attach.split("\n", 2)[2])
        assert len(connection.execute(heart_rate).fetchall()) in world.hours()
        days, silent, copied = re.split(r";\s*\n", others.strip().removesuffix(";"))
        assert {user for _, user, _ in connection.execute(days).fetchall()} == {"ada", "bob"}
        assert [user for user, _ in connection.execute(silent).fetchall()] == ["bob"]
        file = tmp_path / "population.parquet"
        connection.execute(copied.replace("population.parquet", str(file)))
        assert connection.execute(f"SELECT max(users) FROM '{file}'").fetchall() == [(2,)]


# dbt


@pytest.fixture
def marts(world: World) -> Iterator[str]:
    """What dbt needs before its first run, under names of this run."""
    create = blocks("dbt", "sql")[0]
    assert create.count("dbt") == 4
    create = create.replace("DATABASE postgres", f"DATABASE {world.owner.info.dbname}")
    role, schema = f"{NAME}_dbt", f"{NAME}_marts"
    world.owner.execute(re.sub(r"\bdbt\b", role, create).replace("marts", schema).encode())
    yield role
    world.owner.execute(f"DROP SCHEMA {schema} CASCADE; DROP OWNED BY {role}; DROP ROLE {role}".encode())


def dbt(model: str, incremental: bool) -> str:
    """Expand a model as dbt does."""
    text = re.sub(r"\{\{ config\(.*?\) \}\}\n", "", model)
    text = re.sub(r"\{\{ source\('(\w+)', '(\w+)'\) \}\}", r'"\1"."\2"', text)
    pattern = r"\{% if is_incremental\(\) %\}(.*?)\{% else %\}(.*?)\{% endif %\}"
    return re.sub(pattern, r"\1" if incremental else r"\2", text, flags=re.DOTALL).strip()


def test_dbt_models(world: World, marts: str) -> None:
    schema = f"{NAME}_marts"
    url = make_conninfo(world.url, user=marts, password="...")
    hours, days = blocks("dbt", "sql")[1:]
    with psycopg.connect(url, options="-c timezone=UTC") as connection:
        for name, model in (("hours", hours), ("days", days)):
            connection.execute(f'CREATE TABLE {schema}."{name}__dbt_tmp" AS ({dbt(model, False)})'.encode())
            connection.execute(f'ALTER TABLE {schema}."{name}__dbt_tmp" RENAME TO "{name}"'.encode())
            connection.commit()
        connection.execute(f"CREATE TEMPORARY TABLE newer AS ({dbt(hours, True)})".encode())
        older = connection.execute(f"SELECT count(*), min(bucket) FROM {schema}.hours".encode()).fetchone()
        newer = connection.execute("SELECT count(*), min(bucket) FROM newer").fetchone()
    assert older is not None
    assert newer is not None
    assert older[0] > newer[0] >= 47
    assert newer[1] >= world.now - 48 * HOUR


def test_dbt_runs(world: World, marts: str, tmp_path: Path) -> None:
    pytest.importorskip("dbt.adapters.postgres", reason="dbt-postgres is not installed")
    pytest.importorskip("dbt.cli", reason="dbt-core is not installed")
    profiles, sources = blocks("dbt", "yaml")
    hours, days = blocks("dbt", "sql")[1:]
    parts = conninfo_to_dict(world.url)
    for documented, actual in {
        "host: 127.0.0.1": f"host: {parts['host']}",
        "port: 15432": f"port: {parts['port']}",
        "user: dbt": f"user: {marts}",
        "dbname: postgres": f"dbname: {parts['dbname']}",
        "schema: marts": f"schema: {NAME}_marts",
    }.items():
        assert documented in profiles
        profiles = profiles.replace(documented, actual)
    (tmp_path / "models").mkdir()
    (tmp_path / "profiles.yml").write_text(profiles)
    (tmp_path / "dbt_project.yml").write_text("name: hyperpulse\nversion: '1.0'\nprofile: hyperpulse\n")
    (tmp_path / "models" / "sources.yml").write_text(sources)
    (tmp_path / "models" / "heart_rate_by_hour.sql").write_text(hours)
    (tmp_path / "models" / "steps_by_day.sql").write_text(days)
    command = [sys.executable, "-c", "from dbt.cli.main import cli; cli()"]
    for verb in (["run"], ["run"], ["docs", "generate"]):
        done = subprocess.run(
            [*command, *verb, "--project-dir", ".", "--profiles-dir", ".", "--no-send-anonymous-usage-stats"],
            cwd=tmp_path,
            env={**os.environ, "DO_NOT_TRACK": "1"},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    found = world.owner.execute(f"SELECT count(*) FROM {NAME}_marts.heart_rate_by_hour WHERE user_id = 'ada'".encode())
    row = found.fetchone()
    assert row is not None
    mine = {floor(reading.ts, HOUR) for reading in world.readings if reading.user == "ada"}
    assert row[0] in {sum(hour + HOUR <= now for hour in mine) for now in world.moments()}


# psql


def run_psql(world: World, *arguments: str, text: str = "") -> str:
    """Run psql as a person who may only read, from the project's directory."""
    if shutil.which("psql") is None:
        pytest.skip("psql is not on PATH")
    done = subprocess.run(
        ["psql", "-X", "-v", "ON_ERROR_STOP=1", world.url, *arguments],
        cwd=ROOT,
        env={**os.environ, "PGTZ": "UTC", "PAGER": ""},
        input=text,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


def test_psql(world: World, tmp_path: Path) -> None:
    (block,) = blocks("psql", "psql")
    file = tmp_path / "population.csv"
    said = run_psql(world, "-f", "-", text=block.replace("population.csv", str(file)))
    assert "Timing is on." in said
    assert "Start of the hour, UTC." in said  # the comment of a column
    assert "Users by local day of tz" in said  # the comment of a function
    assert {int(rows) for rows in re.findall(r"^\((\d+) rows\)$", said, re.MULTILINE)} & world.hours()
    assert re.search(r"^ bob +\|", said, re.MULTILINE)
    assert file.read_text().startswith("tenant_id,bucket,users,")


def test_psql_runs_every_report(world: World) -> None:
    said = run_psql(world, *(part for report in REPORTS for part in ("-f", str(report))))
    assert len(re.findall(r"^\(\d+ rows?\)$", said, re.MULTILINE)) == len(REPORTS)
