"""COPY in both directions and all formats, and what can go wrong in it."""

from __future__ import annotations

import time
from pathlib import Path

import psycopg
import pytest
from psycopg import errors

from scripts.embedded import EmbeddedServer
from tests.embedded.conftest import Connect

ROWS = [(i, f"text {i}, with a comma") for i in range(5_000)]


@pytest.mark.parametrize("form", ["text", "binary"])
def test_there_and_back_by_rows(connect: Connect, table: str, form: str) -> None:
    one = connect()
    with one.cursor() as cursor:
        with cursor.copy(f"COPY shelf FROM STDIN (FORMAT {form})") as copy:
            copy.set_types(["int4", "text"])
            for row in ROWS:
                copy.write_row(row)
        assert cursor.rowcount == len(ROWS)
        with cursor.copy(f"COPY (SELECT * FROM shelf ORDER BY k) TO STDOUT (FORMAT {form})") as copy:
            copy.set_types(["int4", "text"])
            assert list(copy.rows()) == ROWS


def test_csv(connect: Connect, table: str) -> None:
    one = connect()
    with one.cursor().copy("COPY shelf FROM STDIN (FORMAT csv, HEADER)") as copy:
        copy.write('k,v\n1,"a,b"\n2,\n')
    with one.cursor().copy("COPY shelf TO STDOUT (FORMAT csv)") as copy:
        assert b"".join(bytes(part) for part in copy) == b'1,"a,b"\n2,\n'


def test_an_error_in_the_data_ends_the_copy_early(connect: Connect, table: str) -> None:
    one = connect()
    with (
        pytest.raises(errors.InvalidTextRepresentation, match="line 2"),
        one.cursor().copy("COPY shelf FROM STDIN") as copy,
    ):
        copy.write("1\tx\nno number\ty\n")
        for i in range(200_000):
            copy.write(f"{i}\tmore data that nobody wants\n")
    assert one.execute("SELECT count(*) FROM shelf").fetchone() == (0,)


def test_an_error_before_the_data(connect: Connect) -> None:
    one = connect()
    with pytest.raises(errors.UndefinedTable), one.cursor().copy("COPY nowhere FROM STDIN") as copy:
        copy.write("1\n")
    assert one.execute("SELECT 1").fetchone() == (1,)


def test_the_client_gives_up(connect: Connect, table: str) -> None:
    one = connect()
    with pytest.raises(ValueError, match="changed my mind"), one.cursor().copy("COPY shelf FROM STDIN") as copy:
        copy.write("1\tx\n")
        raise ValueError("changed my mind")
    assert one.execute("SELECT count(*) FROM shelf").fetchone() == (0,)


def test_the_client_dies(connect: Connect, table: str) -> None:
    one, two = connect(), connect()
    one.pgconn.exec_(b"COPY shelf FROM STDIN")
    one.pgconn.put_copy_data(b"1\tx\n")
    one.pgconn.finish()
    assert two.execute("SELECT count(*) FROM shelf").fetchone() == (0,)


def test_a_client_that_sends_nothing_more_is_ended_when_others_wait(connect: Connect, table: str) -> None:
    one, two = connect(), connect()
    with pytest.raises(psycopg.Error), one.cursor().copy("COPY shelf FROM STDIN") as copy:
        copy.write("1\tx\n")
        assert two.execute("SELECT count(*) FROM shelf").fetchone() == (0,)
        copy.write("2\ty\n")


def test_copy_in_a_transaction(connect: Connect, table: str) -> None:
    one = connect()
    with one.transaction():
        with one.cursor().copy("COPY shelf FROM STDIN") as copy:
            copy.write("1\tx\n")
        one.execute("INSERT INTO shelf VALUES (2)")
    assert one.execute("SELECT count(*) FROM shelf").fetchone() == (2,)


def test_a_slow_reader_of_much_data_takes_bounded_memory(connect: Connect, shared_server: EmbeddedServer) -> None:
    one = connect()
    one.execute("SELECT 1")
    before = resident(shared_server.pid)
    total = 0
    with one.cursor().copy("COPY (SELECT repeat('x', 1000) FROM generate_series(1, 60000)) TO STDOUT") as copy:
        time.sleep(0.5)
        growth = resident(shared_server.pid) - before
        total = sum(len(part) for part in copy)
    assert total == 60_000 * 1_001
    assert growth < 40_000_000


def test_many_rows_take_bounded_memory(connect: Connect, table: str, shared_server: EmbeddedServer) -> None:
    one = connect()
    with one.cursor().copy("COPY shelf FROM STDIN WHERE k < 0") as copy:
        part = "".join(f"{i}\t{'x' * 100}\n" for i in range(10_000))
        for _ in range(60):  # for which the heap grows at first, to be used again
            copy.write(part)
        before = resident(shared_server.pid)
        for _ in range(180):
            copy.write(part)
        growth = resident(shared_server.pid) - before
    assert growth < 60_000_000


def resident(pid: int) -> int:
    """Return the resident memory of a process in bytes."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096
