"""A hostile BI login tries to see another tenant, and what the service keeps beside readings."""

from __future__ import annotations

from typing import Any, TypeAlias

import psycopg
import pytest

from tests.support.bi import MINE, OTHER, TENANT_VIEWS, Logins
from tests.support.database import listen

pytestmark = pytest.mark.native

Connection: TypeAlias = psycopg.Connection[Any]
# By column, a condition that fails on a row of the other tenant, if it is evaluated there.
LEAKS = {
    "heart_rate": "1 / (heart_rate - 62)::int < 9",
    "device_id": "1 / (device_id <> 'device of two')::int > 0",
    "source": "1 / (source <> 'source of two')::int > 0",
    "target": "1 / (target - 2000)::int < 9",
    "heart_rate_max": "1 / (heart_rate_max - 62)::int < 9",
    "user_id": "1 / (user_id <> 'private of two')::int > 0",
    "name": "1 / (name <> 'metric_of_two')::int > 0",
}
FACTS = (
    r"^(core|rollup|api_internal|migration)\."
    r"|^_timescaledb_internal\.(_hyper|compress_|_compressed|_material|_partial|_direct)"
)
# What the service keeps beside readings.
SECRETS = (
    *("core.access_key", "core.session", "core.ticket", "core.key_allowance", "core.audit"),
    *("core.bi_login", "core.channel", "core.claim", "core.setting", "core.tenant", "core.metric"),
)
RELATIONS = """
    SELECT c.oid::regclass::text, c.oid
      FROM pg_class AS c
     WHERE c.relkind IN ('r', 'v', 'm', 'p', 'S')
       AND (SELECT nspname FROM pg_namespace WHERE oid = c.relnamespace) || '.' || c.relname ~ %s
"""
REACHED = """
    SELECT c.oid::regclass::text
      FROM pg_class AS c
     WHERE c.oid = ANY (%s)
       AND CASE c.relkind
             WHEN 'S' THEN has_sequence_privilege(c.oid, 'USAGE, SELECT, UPDATE')
             ELSE has_table_privilege(c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
               OR has_any_column_privilege(c.oid, 'SELECT, INSERT, UPDATE, REFERENCES')
           END
"""
CALLABLE = """
    SELECT p.proname::text
      FROM pg_proc AS p
     WHERE p.pronamespace = 'api_internal'::regnamespace AND has_function_privilege(p.oid, 'EXECUTE')
     ORDER BY 1
"""
DENIED_STATEMENTS = [
    "SELECT * FROM core.reading",
    "COPY core.reading TO STDOUT",
    "COPY rollup.user_1d TO STDOUT",
    "COPY (SELECT 1) TO PROGRAM 'cat'",
    "COPY api.readings (user_id, ts, steps) FROM STDIN",
    "INSERT INTO api.incoming_readings (user_id, ts, steps) VALUES ('eve', now(), 1)",
    "SELECT * FROM api_internal.raw_minutes",
    "SELECT * FROM api_internal.visible_tenant",
    "SELECT api_internal.session_tenant()",
    "SELECT api_internal.raw_quarters_of('{1,2}', '-infinity', 'infinity', NULL, NULL)",
    "SELECT api_internal.all_minutes(1)",
    "SELECT api_internal.unrolled_samples(1, '1 hour')",
    "SELECT address FROM core.channel",
    "UPDATE core.bi_login SET tenant_key = 2",
    "SET ROLE bi_reader",
    "SET SESSION AUTHORIZATION postgres",
    "SELECT pg_read_file('PG_VERSION')",
    "BEGIN; LOCK TABLE core.horizon_lock IN ACCESS SHARE MODE",
    "BEGIN; LOCK TABLE api.readings IN ROW SHARE MODE",
    "SET temp_file_limit = -1",
    "ALTER ROLE CURRENT_USER CONNECTION LIMIT 1000",
    "CREATE TEMPORARY TABLE t (a int)",
    "CREATE TABLE public.t (a int)",
    "CREATE SCHEMA mine",
    "CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql RETURN 1",
    "DO 'BEGIN PERFORM 1; END'",
    "SELECT lo_create(0)",
    "SELECT lo_from_bytea(0, 'x')",
    "SELECT add_job('api.upkeep', INTERVAL '1 second')",
    "SELECT alter_job(1000, scheduled => false)",
    "SELECT delete_job(1000)",
    "CALL run_job(1000)",
    "SELECT drop_chunks('core.reading', older_than => now())",
    "SELECT pg_advisory_lock(1)",
    "SELECT pg_notify('readings', 'many')",
    "SELECT pg_logical_emit_message(false, 'a', 'b')",
]


def leaking(db: Connection, view: str) -> str:
    """Return a query of a view with a condition that fails on rows of the other tenant."""
    columns = "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0"
    known = {column for (column,) in db.execute(columns, [f"api.{view}"])}
    return f"SELECT count(*) FROM api.{view} WHERE {next(LEAKS[name] for name in LEAKS if name in known)}"


@pytest.mark.parametrize("view", sorted({*TENANT_VIEWS, "metrics"}))
def test_a_condition_that_leaks_sees_no_row_of_others(hostile: Connection, owner: Connection, view: str) -> None:
    """An error of a cast or a division would name, or count, rows of the other tenant."""
    asked = leaking(owner, view).encode()
    row = hostile.execute(asked).fetchone()
    assert row is not None
    assert row[0] > 0
    with pytest.raises(psycopg.errors.DivisionByZero):
        owner.execute(asked)


@pytest.mark.parametrize(
    "condition",
    [
        "1 / (steps - 222) < 9",
        "1 / (heart_rate - 62)::int < 9",
        "CASE WHEN user_id LIKE '% two' THEN user_id::int ELSE 1 END = 1",
        "CASE WHEN device_id ~ 'two$' THEN device_id::int ELSE 1 END = 1",
        "user_id ~ '^private of t' OR tenant_id LIKE 't%'",
    ],
)
def test_values_of_others_do_not_reach_a_condition(hostile: Connection, owner: Connection, condition: str) -> None:
    asked = f"SELECT DISTINCT tenant_id FROM api.readings WHERE {condition}".encode()
    assert hostile.execute(asked).fetchall() in ([(MINE,)], [])
    if "~ '^" in condition:
        assert owner.execute(asked).fetchall() == [(OTHER,)]
    else:
        with pytest.raises(psycopg.errors.DataError):
            owner.execute(asked)


def test_the_barrier_is_what_keeps_conditions_out(hostile: Connection, owner: Connection) -> None:
    """The same views without it tell of the other tenant: the tests above can fail."""
    found = set()
    for view in TENANT_VIEWS:
        owner.execute(f"ALTER VIEW api.{view} SET (security_barrier = false)".encode())
        try:
            hostile.execute(leaking(owner, view).encode())
        except psycopg.errors.DivisionByZero:
            found.add(view)
        finally:
            owner.execute(f"ALTER VIEW api.{view} SET (security_barrier = true)".encode())
    assert found >= {"devices", "users", "readings", "events", "population_1h"}


@pytest.mark.parametrize("kind", Logins._fields)
def test_no_login_reaches_a_table_chunk_materialization_or_sequence(
    logins: Logins, owner: Connection, kind: str
) -> None:
    relations = dict(owner.execute(RELATIONS, [FACTS]).fetchall())
    assert sum("_hyper" in name for name in relations) > 20
    assert any("_materialized_hypertable" in name for name in relations)
    assert relations.keys() >= {*SECRETS, "core.audit_entry_seq"}
    with psycopg.connect(getattr(logins, kind), autocommit=True) as connection:
        assert connection.execute(REACHED, [list(relations.values())]).fetchall() == []


@pytest.mark.parametrize("kind", Logins._fields)
def test_no_login_reads_or_changes_what_the_service_keeps_secret(logins: Logins, owner: Connection, kind: str) -> None:
    chunk = str(owner.execute("SELECT show_chunks('core.reading')::text LIMIT 1").fetchall()[0][0])
    with psycopg.connect(getattr(logins, kind), autocommit=True) as connection:
        connection.execute("SET default_transaction_read_only = off")
        for table in (*SECRETS, chunk):
            for attempt in ("SELECT * FROM {}", "COPY {} TO STDOUT", "DELETE FROM {}", "LOCK TABLE {}", "TRUNCATE {}"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege), connection.transaction():
                    connection.execute(attempt.format(table).encode())


@pytest.mark.parametrize("kind", Logins._fields)
def test_no_login_calls_a_private_function(logins: Logins, kind: str) -> None:
    """Views call some as their reader, who cannot name their schema."""
    with psycopg.connect(getattr(logins, kind), autocommit=True) as connection:
        callable_ones = [name for (name,) in connection.execute(CALLABLE)]
        assert callable_ones == [
            "all_minutes",
            "hour_bits",
            "quarter_bits",
            "raw_quarters_of",
            "session_tenant",
            "unrolled_samples",
        ]
        for schema in ("api_internal", "core", "rollup", "migration"):
            assert connection.execute("SELECT has_schema_privilege(%s, 'USAGE')", [schema]).fetchone() == (False,)


@pytest.mark.parametrize(
    "catalog",
    ["pg_stats", "pg_stats_ext", "pg_stats_ext_exprs", "timescaledb_information.job_errors"],
)
def test_catalogs_hold_no_values(hostile: Connection, owner: Connection, catalog: str) -> None:
    owner.execute("ANALYZE core.app_user, core.reading, rollup.user_15m, core.access_key, core.session, core.audit")
    private = "" if "job" in catalog else " AS s WHERE s.schemaname !~ '^(pg_catalog|information_schema)$'"
    assert [
        row
        for row in hostile.execute(f"SELECT * FROM {catalog}{private}".encode())
        if OTHER in repr(row) or "core" in row
    ] == []


def test_the_catalogs_and_activity_name_nothing_of_others(hostile: Connection, owner: Connection) -> None:
    (address,) = owner.execute("SELECT address FROM core.channel WHERE name = 'readings'").fetchone() or ("",)
    listen(owner)
    try:
        for catalog in (
            "pg_stat_activity",
            "pg_locks",
            "pg_settings",
            "pg_prepared_statements",
            "pg_listening_channels()",
        ):
            text = repr(hostile.execute(f"SELECT * FROM {catalog}".encode()).fetchall())
            assert address not in text
            assert "private of" not in text
    finally:
        owner.execute("UNLISTEN *")


def test_copy_gives_its_own_rows_only(hostile: Connection) -> None:
    with hostile.cursor() as cursor, cursor.copy("COPY (SELECT * FROM api.readings) TO STDOUT") as copy:
        text = b"".join(bytes(block) for block in copy).decode()
    assert "private of one" in text
    assert OTHER not in text


@pytest.mark.parametrize("statement", DENIED_STATEMENTS)
def test_it_may_not(hostile: Connection, statement: str) -> None:
    with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.UndefinedFunction)):
        hostile.execute(statement.encode())


def test_a_prepared_question_follows_the_login(hostile: Connection) -> None:
    hostile.execute("PREPARE everyone (text) AS SELECT DISTINCT tenant_id FROM api.users WHERE tenant_id LIKE $1")
    assert hostile.execute("EXECUTE everyone ('%')").fetchall() == [(MINE,)]
