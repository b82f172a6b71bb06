"""Metabase: questions with variables, its query builder, and how it reads the catalogs."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

import psycopg

from tests.sql.tools.document import blocks, table
from tests.sql.tools.world import ELSEWHERE, HOUR, Rows, World, by_hour, floor, hours_of_both, views


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
