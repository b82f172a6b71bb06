"""CREATE and DROP DATABASE, and what pytest-postgresql does with them."""

from __future__ import annotations

import threading
import time

import psycopg
import pytest
from psycopg import errors
from pytest_postgresql.janitor import DatabaseJanitor

from scripts.embedded import EmbeddedServer
from tests.embedded.conftest import Connect
from tests.embedded.raw import owners_password


def names(connection: psycopg.Connection[tuple[object, ...]]) -> set[object]:
    return {row[0] for row in connection.execute("SELECT datname FROM pg_database")}


def test_create_use_copy_and_drop(connect: Connect) -> None:
    one = connect()
    assert one.execute('CREATE DATABASE "Über.Base"').statusmessage == "CREATE DATABASE"
    try:
        with connect("%C3%9Cber.Base") as inside:
            inside.execute("CREATE TABLE kept AS SELECT 42 AS x")
            one.execute('CREATE DATABASE copy TEMPLATE "Über.Base" IS_TEMPLATE = true')
            assert connect("copy").execute("SELECT x FROM kept").fetchone() == (42,)
            assert {"Über.Base", "copy", "postgres"} <= names(one)
            assert {"Über.Base", "copy"} <= names(inside)
        with pytest.raises(errors.WrongObjectType, match="template"):
            one.execute("DROP DATABASE copy")
    finally:
        one.execute("ALTER DATABASE copy IS_TEMPLATE false")
        assert one.execute("DROP DATABASE copy").statusmessage == "DROP DATABASE"
        one.execute('DROP DATABASE "Über.Base"')
    assert not {"Über.Base", "copy"} & names(one)
    assert one.execute("SELECT to_regclass('kept')").fetchone() == (None,)


def test_a_copy_has_the_files_of_the_database_that_it_opens(shared_server: EmbeddedServer, connect: Connect) -> None:
    one = connect()
    one.execute("CREATE DATABASE small")
    try:
        inside = connect("small")
        opened = "SELECT oid::text FROM pg_database WHERE datname = current_database()"
        base = shared_server.data / "databases" / "small" / "base"
        assert [(folder.name,) for folder in base.iterdir()] == inside.execute(opened).fetchall()
        sized = "SELECT datname FROM pg_database WHERE pg_database_size(oid) IS NOT NULL"
        assert inside.execute(sized).fetchall() == [("postgres",)]
    finally:
        one.execute("DROP DATABASE small")


@pytest.mark.parametrize(
    ("statement", "error"),
    [
        ("CREATE DATABASE postgres", errors.DuplicateDatabase),
        ("CREATE DATABASE x TEMPLATE nowhere", errors.InvalidCatalogName),
        ("DROP DATABASE nowhere", errors.InvalidCatalogName),
        ("DROP DATABASE postgres", errors.ObjectInUse),
        ("ALTER DATABASE postgres RENAME TO other", errors.FeatureNotSupported),
        ("BEGIN; CREATE DATABASE x", errors.ActiveSqlTransaction),
    ],
)
def test_what_cannot_be_done(connect: Connect, statement: str, error: type[psycopg.Error]) -> None:
    one = connect()
    with pytest.raises(error):
        for part in statement.split("; "):
            one.execute(part)
    one.rollback()
    assert one.execute("SELECT 1").fetchone() == (1,)


def test_drop_if_exists(connect: Connect) -> None:
    assert connect().execute("DROP DATABASE IF EXISTS nowhere").statusmessage == "DROP DATABASE"


def test_pytest_postgresql_s_janitor(shared_server: EmbeddedServer, connect: Connect) -> None:
    def load(**arguments: object) -> None:
        with connect(str(arguments["dbname"])) as one:
            one.execute("CREATE TABLE loaded (x int)")

    password = owners_password(shared_server.data)
    where = {"user": "postgres", "host": "127.0.0.1", "port": shared_server.port, "password": password}
    with DatabaseJanitor(**where, dbname="tests_tmpl", as_template=True) as template:  # type: ignore[arg-type]
        template.load(load)
        with DatabaseJanitor(**where, dbname="tests", template_dbname="tests_tmpl"):  # type: ignore[arg-type]
            assert connect("tests").execute("SELECT count(*) FROM loaded").fetchone() == (0,)
    assert not {"tests", "tests_tmpl"} & names(connect())


def test_a_database_is_dropped_while_a_statement_runs_in_it(connect: Connect) -> None:
    """The statement is answered, and every other connection lives on."""
    one = connect()
    one.execute("CREATE DATABASE doomed")
    inside = connect("doomed")

    def run() -> None:
        with pytest.raises(psycopg.OperationalError):
            inside.execute("SELECT count(*) FROM generate_series(1, 10000000000)")

    running = threading.Thread(target=run)
    running.start()
    time.sleep(0.5)
    assert one.execute("DROP DATABASE doomed").statusmessage == "DROP DATABASE"
    running.join(10)
    assert not running.is_alive()
    time.sleep(0.5)  # in which a timer that is left would strike
    assert one.execute("SELECT 1").fetchone() == (1,)
    assert connect().execute("SELECT 1").fetchone() == (1,)
