"""The instance crashes and comes back; what was answered is there, and the other clients stay."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import errors

from tests.embedded.conftest import Connect, Start

TOO_DEEP = f"SELECT '{'[' * 20_000}{']' * 20_000}'::jsonb"


def test_a_crash_ends_only_the_client_at_fault(connect: Connect, table: str) -> None:
    culprit, bystander = connect(), connect(prepare_threshold=0)
    bystander.execute("SET work_mem = '7MB'")
    bystander.execute("LISTEN news")
    bystander.execute("INSERT INTO shelf VALUES (%s)", (1,))
    with pytest.raises(errors.AdminShutdown, match="crashed"):
        culprit.execute(TOO_DEEP)
    bystander.execute("INSERT INTO shelf VALUES (%s)", (2,))
    assert bystander.execute("SELECT count(*) FROM shelf").fetchone() == (2,)
    assert bystander.execute("SHOW work_mem").fetchone() == ("7MB",)
    connect().execute("NOTIFY news")
    assert len(list(bystander.notifies(timeout=5, stop_after=1))) == 1
    assert bystander.execute("SELECT count(*) FROM timescaledb_information.hypertables").fetchone() is not None


def test_the_transaction_at_fault_is_undone(connect: Connect, table: str) -> None:
    culprit = connect(autocommit=False)
    culprit.execute("INSERT INTO shelf VALUES (1)")
    with pytest.raises(errors.AdminShutdown):
        culprit.execute(TOO_DEEP)
    assert connect().execute("SELECT count(*) FROM shelf").fetchone() == (0,)


def test_kill_9_under_load_loses_no_answered_commit(start: Start) -> None:
    server = start()
    with psycopg.connect(server.url, autocommit=True) as one:
        one.execute("CREATE TABLE log (n int)")
    answered = 0
    for _ in range(2):
        one = psycopg.connect(server.url, autocommit=True)
        for _ in range(150):
            one.execute("INSERT INTO log VALUES (%s)", (answered,))
            answered += 1
        one.pgconn.send_query(b"INSERT INTO log SELECT -1 FROM generate_series(1, 1000000)")
        server.process.kill()
        server.process.wait()
        one.close()
        server = start()
        with psycopg.connect(server.url, autocommit=True) as one:
            found = one.execute("SELECT count(*), count(DISTINCT n), max(n) FROM log").fetchone()
        assert found == (answered, answered, answered - 1)
