"""Prepared statements, pipelines and the extended protocol for several clients of one backend."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import errors
from psycopg.rows import TupleRow

from tests.embedded.conftest import Connect


def test_automatic_prepared_statements_of_two_clients(connect: Connect) -> None:
    one, two = connect(), connect()
    for i in range(12):
        assert one.execute("SELECT %s::int + 1", (i,)).fetchone() == (i + 1,)
        assert two.execute("SELECT %s::int * 10", (i,)).fetchone() == (i * 10,)


@pytest.mark.parametrize("end", ["DEALLOCATE ALL", "DISCARD ALL"])
def test_one_client_forgets_its_statements_and_the_other_keeps_its_own(connect: Connect, end: str) -> None:
    one, two = connect(prepare_threshold=0), connect(prepare_threshold=0)
    one.execute("SELECT %s::int", (1,))
    two.execute("SELECT %s::int", (1,))
    one.execute(end)
    assert two.execute("SELECT %s::int", (7,)).fetchone() == (7,)
    assert two.execute("SELECT %s::int", (8,)).fetchone() == (8,)


def test_sql_level_prepare(connect: Connect) -> None:
    one, two = connect(), connect()
    one.execute("PREPARE pick AS SELECT 'one'")
    two.execute("PREPARE pick AS SELECT 'two'")
    assert one.execute("EXECUTE pick").fetchone() == ("one",)
    assert two.execute("EXECUTE pick").fetchone() == ("two",)
    one.execute("DEALLOCATE pick")
    with pytest.raises(errors.InvalidSqlStatementName):
        one.execute("EXECUTE pick")
    assert two.execute("EXECUTE pick").fetchone() == ("two",)


def test_a_failed_parse_leaves_no_statement(connect: Connect) -> None:
    one = connect(prepare_threshold=0)
    for _ in range(2):
        with pytest.raises(errors.UndefinedTable):
            one.execute("SELECT * FROM nowhere WHERE x = %s", (1,))
    assert one.execute("SELECT 1").fetchone() == (1,)


def test_pipeline(connect: Connect) -> None:
    one = connect()
    with one.pipeline():
        cursors = [one.execute("SELECT %s::int", (i,)) for i in range(200)]
        assert [cursor.fetchone() for cursor in cursors] == [(i,) for i in range(200)]


def test_a_pipeline_that_has_ended_keeps_nobody_waiting(connect: Connect) -> None:
    one, other = connect(), connect()
    with one.pipeline():  # psycopg ends it by a Sync, and flushes after that
        one.execute("BEGIN")
        one.execute("COMMIT")
    assert other.execute("SELECT 1").fetchone() == (1,)


def test_an_error_in_a_pipeline_undoes_it_and_the_connection_goes_on(connect: Connect, table: str) -> None:
    one = connect()
    with pytest.raises(errors.DivisionByZero), one.pipeline():
        one.execute("INSERT INTO shelf VALUES (1)")
        one.execute("SELECT 1/0")
        one.execute("INSERT INTO shelf VALUES (2)")
    assert one.execute("SELECT count(*) FROM shelf").fetchone() == (0,)


def test_a_long_pipeline_without_a_sync_takes_bounded_memory(connect: Connect, table: str) -> None:
    one = connect()
    with one.pipeline(), one.cursor() as cursor:
        cursor.executemany("INSERT INTO shelf VALUES (%s, %s)", [(i, "x" * 10_000) for i in range(1_000)])
    assert one.execute("SELECT count(*) FROM shelf").fetchone() == (1_000,)


def test_server_side_cursors_of_two_clients(connect: Connect) -> None:
    def read(connection: psycopg.Connection[TupleRow]) -> int:
        with connection.transaction(), connection.cursor("numbers") as cursor:
            cursor.itersize = 100
            cursor.execute("SELECT generate_series(1, 1000)")
            return sum(row[0] for row in cursor)

    assert [read(connect()), read(connect())] == [500_500, 500_500]


def test_binary_parameters_and_results(connect: Connect) -> None:
    one = connect()
    row = one.execute("SELECT %b::float8, %b::bytea", (1.5, b"\0\1"), binary=True).fetchone()
    assert row == (1.5, b"\0\1")


def test_several_statements_in_one_query(connect: Connect) -> None:
    cursor = connect().execute("SELECT 1; SELECT 2")
    assert cursor.fetchone() == (1,)
    assert cursor.nextset()
    assert cursor.fetchone() == (2,)
