"""What one connection does in the shared session reaches no other one, and no role becomes another."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from psycopg import errors

from tests.embedded.conftest import Connect, Start

Session = psycopg.Connection[tuple[Any, ...]]


@pytest.fixture
def guest(connect: Connect) -> str:
    """A role with few rights that may log in, and create objects in a schema of its own."""
    connect().execute(
        "DROP SCHEMA IF EXISTS den CASCADE; DROP ROLE IF EXISTS guest; CREATE ROLE guest LOGIN PASSWORD 'guest';"
        "CREATE SCHEMA den AUTHORIZATION guest"
    )
    return "guest"


def wait_for(condition: Callable[[], bool]) -> None:
    """The end of a connection is not awaited by its client."""
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def seen(connection: Session, statement: str) -> Any:
    row = connection.execute(statement.encode()).fetchone()
    assert row is not None
    return row[0]


# Who one is


@pytest.mark.parametrize(
    "attempt",
    [
        "SET SESSION AUTHORIZATION postgres",
        "SET session_authorization = 'postgres'",
        "SELECT set_config('session_authorization', 'postgres', false)",
        "DO $$BEGIN EXECUTE 'SET SESSION AUTHORIZATION postgres'; END$$",
        "SET LOCAL SESSION AUTHORIZATION postgres",
        "SET ROLE postgres",
    ],
)
def test_a_role_cannot_become_another(connect: Connect, guest: str, attempt: str) -> None:
    one = connect(user=guest)
    with pytest.raises(psycopg.Error) as caught:
        one.execute(attempt.encode())
    assert caught.value.sqlstate in {"42501", "22023"}
    assert seen(one, "SELECT current_user || session_user") == "guestguest"
    assert connect().execute("SELECT session_user").fetchone() == ("postgres",)


@pytest.mark.parametrize("name", ["session_authorization", "role"])
def test_a_role_cannot_begin_as_another(connect: Connect, guest: str, name: str) -> None:
    with pytest.raises(psycopg.OperationalError, match="permission denied"):
        connect(user=guest, options=f"-c {name}=postgres")
    one = connect(user=guest)
    one.execute(f"ALTER ROLE guest SET {name} = 'postgres'".encode())
    again = connect(user=guest)
    assert seen(again, "SELECT current_user || session_user") == "guestguest"


def test_operators_of_a_role_run_with_its_rights_only(connect: Connect, guest: str) -> None:
    """The gateway reads a connection's settings by SQL, which a search_path could lead astray."""
    one = connect(user=guest)
    one.execute("CREATE TABLE den.log (who text)")
    one.execute("GRANT INSERT ON den.log TO public")
    for kind in ("text", "name"):
        for operator in ("=", "<>"):
            function = f"den.f_{kind}_{'is' if operator == '=' else 'not'}"
            one.execute(
                f"""CREATE FUNCTION {function}({kind}, {kind}) RETURNS boolean LANGUAGE plpgsql AS $$BEGIN
                    BEGIN
                      EXECUTE 'SET SESSION AUTHORIZATION postgres';
                      INSERT INTO den.log SELECT session_user;
                    EXCEPTION WHEN insufficient_privilege THEN NULL; END;
                    RETURN true; END$$""".encode()
            )
            one.execute(
                f"CREATE OPERATOR den.{operator} (leftarg = {kind}, rightarg = {kind}, function = {function})".encode()
            )
    one.execute("SET search_path = den, pg_catalog")
    one.execute("SET work_mem TO DEFAULT")
    one.execute("RESET ALL")
    one.execute("SET search_path = den, pg_catalog; SELECT set_config('app.x', '1', false)")
    one.execute("RESET SESSION AUTHORIZATION")
    two = connect()
    two.execute("SELECT 1")
    assert two.execute("SELECT count(*) FROM den.log").fetchone() == (0,)
    assert two.execute("SELECT session_user").fetchone() == ("postgres",)


@pytest.mark.parametrize("statement", ["CREATE DATABASE theirs", "DROP DATABASE mine"])
def test_databases_are_not_for_every_role(connect: Connect, guest: str, statement: str) -> None:
    one = connect()
    one.execute("CREATE DATABASE mine")
    try:
        with pytest.raises(errors.InsufficientPrivilege, match="permission denied"):
            connect(user=guest).execute(statement.encode())
        assert seen(one, "SELECT count(*) FROM pg_database WHERE datname IN ('mine', 'theirs')") == 1
        one.execute("ALTER ROLE guest CREATEDB")
        connect(user=guest).execute("DROP DATABASE mine")
    finally:
        one.execute("DROP DATABASE IF EXISTS mine")
        one.execute("DROP DATABASE IF EXISTS theirs")


def test_a_job_runs_as_its_owner(start: Start) -> None:
    server = start(jobs_interval=0.1)
    with psycopg.connect(server.url, autocommit=True) as one:
        one.execute("CREATE ROLE guest LOGIN PASSWORD 'guest'; CREATE SCHEMA den AUTHORIZATION guest")
        with psycopg.connect(server.url, user="guest", password="guest", autocommit=True) as two:
            two.execute("CREATE TABLE den.log (who text)")
            two.execute(
                """CREATE PROCEDURE den.climb(job_id int, config jsonb) LANGUAGE plpgsql AS $$BEGIN
                  BEGIN
                    EXECUTE 'SET SESSION AUTHORIZATION postgres';
                  EXCEPTION WHEN insufficient_privilege THEN NULL; END;
                  EXECUTE 'RESET ROLE';
                  EXECUTE 'DEALLOCATE ALL';
                  INSERT INTO den.log SELECT current_user || session_user; END$$"""
            )
            two.execute("SELECT add_job('den.climb', '1 hour')")
        deadline = time.monotonic() + 10
        while not (found := one.execute("SELECT who FROM den.log", prepare=True).fetchall()):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert found == [("guestguest",)]
        assert seen(one, "SELECT session_user") == "postgres"


# What one leaves


def open_or_closed(keep: bool) -> Callable[[Session], None]:
    return lambda connection: None if keep else connection.close()


both_ways = pytest.mark.parametrize("end", [open_or_closed(True), open_or_closed(False)], ids=["open", "closed"])
both_roles = pytest.mark.parametrize("user", ["guest", "postgres"])


@both_ways
@both_roles
@pytest.mark.parametrize(
    ("create", "use"),
    [
        ("CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql AS 'SELECT 1'", "SELECT pg_temp.f()"),
        ("CREATE TEMP TABLE scratch AS SELECT 1", "SELECT * FROM scratch"),
        ("DO $$BEGIN EXECUTE 'CREATE TE' || 'MP TABLE scratch (x int)'; END$$", "SELECT * FROM pg_temp.scratch"),
        ("CREATE TEMP VIEW scratch AS SELECT 1", "SELECT * FROM scratch"),
        ("CREATE TYPE pg_temp.mood AS ENUM ('ok')", "SELECT 'ok'::mood"),
        ("CREATE DOMAIN pg_temp.even AS int", "SELECT 2::even"),
    ],
    ids=["function", "table", "hidden table", "view", "type", "domain"],
)
def test_temporary_objects(
    connect: Connect, guest: str, user: str, create: str, use: str, end: Callable[[Session], None]
) -> None:
    one = connect(user=user)
    one.execute(create.encode())
    one.execute(use.encode())
    end(one)
    for other in (connect(), connect(user=guest)):
        with pytest.raises(psycopg.Error) as caught:
            other.execute(use.encode())
        assert caught.value.sqlstate in {"42P01", "42883", "42704", "3F000"}
    if not one.closed:
        one.execute(use.encode())


def test_each_connection_has_temporary_tables_of_its_own(connect: Connect, guest: str) -> None:
    connections = [connect(), connect(), connect(user=guest)]
    for number, one in enumerate(connections):
        one.execute("CREATE TEMP TABLE scratch (k int)")
        one.execute("INSERT INTO scratch VALUES (%s)", (number,))
    for _ in range(3):
        assert [seen(one, "SELECT sum(k) FROM scratch") for one in connections] == [0, 1, 2]
        for one in connections:
            one.execute("INSERT INTO scratch VALUES (0)")
    connections[0].execute("DISCARD TEMP")
    connections[1].close()
    assert seen(connections[2], "SELECT sum(k) FROM pg_temp.scratch") == 2
    with pytest.raises(errors.UndefinedTable):
        connections[0].execute("SELECT * FROM scratch")


def test_a_plan_of_a_function_does_not_remember_the_table_of_another_connection(connect: Connect) -> None:
    one, two = connect(), connect()
    one.execute(
        "CREATE OR REPLACE FUNCTION total() RETURNS bigint LANGUAGE plpgsql AS"
        " $$BEGIN RETURN (SELECT sum(k) FROM pg_temp.scratch); END$$"
    )
    one.execute("CREATE TEMP TABLE scratch AS SELECT 1 AS k")
    two.execute("CREATE TEMP TABLE scratch AS SELECT 2 AS k")
    for _ in range(8):  # more than a plan takes to become generic
        assert (seen(one, "SELECT total()"), seen(two, "SELECT total()")) == (1, 2)
    one.execute("DROP FUNCTION total")


def test_temporary_tables_that_another_connection_has_looked_at(connect: Connect, guest: str) -> None:
    one, two = connect(), connect(user=guest)
    one.execute("CREATE TEMP TABLE scratch (k int PRIMARY KEY); INSERT INTO scratch VALUES (1)")
    one.execute("ANALYZE scratch")  # and so the instance reads its description again
    assert seen(two, "SELECT sum(pg_total_relation_size(oid)) > 0 FROM pg_class WHERE relkind = 'r'")
    assert seen(one, "SELECT sum(k) FROM scratch WHERE k > 0") == 1


def test_rolled_back_temporary_tables(connect: Connect) -> None:
    one, two = connect(), connect()
    with pytest.raises(ZeroDivisionError), one.transaction():
        one.execute("CREATE TEMP TABLE scratch (k int)")
        raise ZeroDivisionError
    two.execute("CREATE TEMP TABLE scratch (k int)")
    with pytest.raises(errors.UndefinedTable):
        one.execute("SELECT * FROM scratch")
    one.execute("CREATE TEMP TABLE scratch AS SELECT 5 AS k")
    assert (seen(one, "SELECT sum(k) FROM scratch"), seen(two, "SELECT sum(k) FROM scratch")) == (5, None)


def test_no_schema_is_left(connect: Connect) -> None:
    one, other = connect(), connect()

    def schemas() -> int:
        return int(seen(one, "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'pg_%temp_%'"))

    wait_for(lambda: schemas() == 0)
    other.execute("CREATE TEMP TABLE scratch AS SELECT repeat('x', 9) AS x")
    assert schemas() == 2
    other.close()
    wait_for(lambda: schemas() == 0)


def test_any_number_of_connections_may_have_temporary_tables(connect: Connect) -> None:
    """An instance has room for 20 callbacks at its end, of which each first temporary table of a session takes one."""
    kept = connect()
    kept.execute("CREATE TEMP TABLE scratch AS SELECT 1 AS k")
    for _ in range(25):
        with connect() as one, one.transaction():
            one.execute("CREATE TEMP TABLE scratch (k int)")
    assert seen(kept, "SELECT k FROM scratch") == 1


def test_nothing_temporary_is_left_by_a_kill(start: Start) -> None:
    server = start()
    with psycopg.connect(server.url, autocommit=True) as one:
        one.execute("CREATE TEMP TABLE scratch AS SELECT 1")
        server.process.kill()
        server.process.wait()
    with psycopg.connect(start().url, autocommit=True) as one:
        assert seen(one, "SELECT count(*) FROM pg_class WHERE relname = 'scratch'") == 0
        assert seen(one, "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'pg_%temp_%'") == 0


@both_ways
def test_settings_that_a_function_hides(connect: Connect, guest: str, end: Callable[[Session], None]) -> None:
    one = connect(user=guest)
    one.execute(
        "CREATE FUNCTION den.quietly() RETURNS void LANGUAGE plpgsql AS $$BEGIN"
        " EXECUTE 'SET search_path = den'; EXECUTE 'SET work_mem = ''9MB'''; END$$"
    )
    one.execute("SELECT den.quietly()")
    end(one)
    for other in (connect(), connect(user=guest)):
        assert seen(other, "SHOW work_mem") == "4MB"
        assert seen(other, "SHOW search_path") == '"$user", public'


def test_settings_that_a_function_hides_end_with_the_owner_s_connection(connect: Connect) -> None:
    one = connect()
    one.execute(
        "CREATE OR REPLACE FUNCTION quietly() RETURNS void LANGUAGE plpgsql AS"
        " $$BEGIN EXECUTE 'SET work_mem = ''9MB'''; END$$"
    )
    one.execute("SELECT quietly()")
    one.close()
    assert seen(connect(), "SHOW work_mem") == "4MB"
    connect().execute("DROP FUNCTION quietly")


def test_cursors_with_hold(connect: Connect, guest: str) -> None:
    one, two = connect(), connect()
    one.execute("DECLARE mine CURSOR WITH HOLD FOR SELECT generate_series(1, 3)")
    two.execute("DECLARE theirs CURSOR WITH HOLD FOR SELECT generate_series(1, 3)")
    one.close()
    with pytest.raises(errors.InvalidCursorName):
        connect().execute("FETCH mine")
    assert two.execute("FETCH theirs").fetchone() == (1,)
    with pytest.raises(errors.InvalidCursorName):
        connect(user=guest).execute("FETCH theirs")


@pytest.mark.parametrize(
    "prepare",
    [
        "PREPARE pick AS SELECT 1",
        "SELECT 1; PREPARE pick AS SELECT 1",
        "DO $$BEGIN EXECUTE 'PREPARE pick AS SELECT 1'; END$$",
    ],
)
def test_prepared_statements(connect: Connect, prepare: str) -> None:
    one, two = connect(), connect(prepare_threshold=0)
    two.execute("SELECT %s::int", (1,))
    one.execute(prepare.encode())
    one.close()
    pick = "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%AS SELECT 1'"
    wait_for(lambda: seen(two, pick) == 0)
    with pytest.raises(errors.InvalidSqlStatementName):
        connect().execute("SELECT 1; EXECUTE pick")
    assert two.execute("SELECT %s::int", (2,)).fetchone() == (2,)


def test_a_role_puts_no_statement_in_the_place_of_another(connect: Connect, guest: str) -> None:
    """A client of the role knows the numbers of connections, and a function may prepare statements under any name."""
    one, two = connect(user=guest), connect(prepare_threshold=0)
    assert two.execute("SELECT %s::int", (1,)).fetchone() == (1,)
    one.execute(
        """CREATE TABLE den.log (who text); GRANT INSERT ON den.log TO public; GRANT USAGE ON SCHEMA den TO public;
        CREATE FUNCTION den.trap(int) RETURNS int LANGUAGE sql
          AS 'INSERT INTO den.log VALUES (current_user) RETURNING -1'"""
    )
    for name in (f"c{two.info.backend_pid}_1", f"c{two.info.backend_pid}_2"):
        one.execute(
            f"""DO $$BEGIN
              BEGIN EXECUTE 'DEALLOCATE {name}'; EXCEPTION WHEN invalid_sql_statement_name THEN NULL; END;
              EXECUTE 'PREPARE {name} (int) AS SELECT den.trap($1)'; END$$""".encode()
        )
    for number in (2, 3):
        assert two.execute("SELECT %s::int", (number,)).fetchone() == (number,)
    assert two.execute("SELECT %s::int + 1", (3,)).fetchone() == (4,)
    assert two.execute("SELECT who FROM den.log").fetchall() == []


@pytest.mark.parametrize("kept", [True, False])
def test_a_role_does_not_end_the_statements_of_others(connect: Connect, guest: str, kept: bool) -> None:
    one, two, three = connect(user=guest, prepare_threshold=0), connect(prepare_threshold=0), connect(user=guest)
    two.execute("SELECT %s::int", (1,))
    for _ in range(2):
        one.execute("SELECT %s::text", ("x",))
        three.execute("DO $$BEGIN EXECUTE 'DEALLOCATE ALL'; END$$")
        if not kept:
            three.close()
            three = connect(user=guest)
        assert two.execute("SELECT %s::int", (2,)).fetchone() == (2,)
        assert one.execute("SELECT %s::text", ("y",)).fetchone() == ("y",)
        two.execute("DEALLOCATE ALL")
        assert two.execute("SELECT %s::int", (3,), prepare=True).fetchone() == (3,)


def test_a_statement_that_a_function_of_a_role_prepares_ends_with_its_turn(connect: Connect, guest: str) -> None:
    connect(user=guest).execute("DO $$BEGIN EXECUTE 'PREPARE pick AS SELECT 666'; END$$")
    with pytest.raises(errors.InvalidSqlStatementName):
        connect().execute("SELECT 1; EXECUTE pick")


@pytest.mark.parametrize("list_of", ["pg_prepared_statements", "pg_cursors", "pg_listening_channels()"])
def test_a_role_does_not_read_what_others_keep(connect: Connect, guest: str, list_of: str) -> None:
    connect(prepare_threshold=0).execute("SELECT %s::text", ("secret",))
    with pytest.raises(errors.InsufficientPrivilege):
        connect(user=guest).execute(f"SELECT * FROM {list_of}".encode())


LOCKS = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"


@pytest.mark.parametrize("end", ["close", "DISCARD ALL", "SELECT pg_advisory_unlock_all()"])
@pytest.mark.parametrize(
    "lock", ["SELECT pg_advisory_lock(7)", "DO $$BEGIN PERFORM pg_try_advisory_lock_shared(1, -2); END$$"]
)
def test_advisory_locks(connect: Connect, lock: str, end: str) -> None:
    one, two, three = connect(), connect(), connect()
    for connection, key in ((two, "-5000000000"), (three, "-3, 4")):
        connection.execute(f"SELECT pg_advisory_lock({key})".encode())
    one.execute(lock.encode())
    assert seen(two, LOCKS) == 3
    if end == "close":
        one.close()
    else:
        one.execute(end.encode())
    wait_for(lambda: seen(two, LOCKS) == 2)
    assert seen(two, "SELECT pg_advisory_unlock(-5000000000)")
    assert seen(three, "SELECT pg_advisory_unlock(-3, 4)")


def test_a_role_does_not_end_the_listening_of_others(connect: Connect, guest: str) -> None:
    one, two, three = connect(user=guest), connect(), connect()
    two.execute("LISTEN news")
    one.execute("DO $$BEGIN EXECUTE 'UNLISTEN *'; END$$")
    three.execute("NOTIFY news")
    assert [note.channel for note in two.notifies(timeout=2, stop_after=1)] == ["news"]


def test_listening_ends_with_the_connection(connect: Connect) -> None:
    one, two = connect(), connect()
    one.execute("LISTEN news")
    one.close()
    two.execute("NOTIFY news")
    assert list(two.notifies(timeout=0.2)) == []
