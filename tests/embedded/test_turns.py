"""Transactions of several clients on the one backend: turns, waiting, cancelling."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from psycopg import errors
from psycopg_pool import ConnectionPool

from scripts.embedded import EmbeddedServer
from tests.embedded.conftest import HOLD_TIMEOUT, IDLE_TIMEOUT, TURN_TIMEOUT, Connect, Start


def test_transactions_of_two_clients_do_not_mix(connect: Connect, table: str) -> None:
    one, two = connect(), connect()
    with ThreadPoolExecutor() as threads:
        with one.transaction():
            one.execute("INSERT INTO shelf VALUES (1)")
            count = threads.submit(lambda: two.execute("SELECT count(*) FROM shelf").fetchone())
            one.execute("INSERT INTO shelf VALUES (2)")
            assert not count.done()
        assert count.result() == (2,)


def test_an_idle_transaction_is_ended_only_when_others_wait(connect: Connect, table: str) -> None:
    one, two = connect(autocommit=False), connect()
    one.execute("INSERT INTO shelf VALUES (1)")
    time.sleep(IDLE_TIMEOUT + 0.7)
    one.execute("INSERT INTO shelf VALUES (2)")  # nobody waited: still there
    assert two.execute("SELECT count(*) FROM shelf").fetchone() == (0,)
    with pytest.raises(errors.IdleInTransactionSessionTimeout):
        one.execute("SELECT 1")


def test_an_idle_client_hears_why_and_is_rolled_back(
    connect: Connect, table: str, shared_server: EmbeddedServer
) -> None:
    connect().execute("DROP ROLE IF EXISTS dash; CREATE ROLE dash LOGIN PASSWORD 'dash'; GRANT ALL ON shelf TO dash")
    one, two, three = connect(autocommit=False, user="dash", application_name="Grafana"), connect(), connect()
    one.execute("INSERT INTO shelf VALUES (1)")
    began = time.monotonic()
    with ThreadPoolExecutor() as threads:
        waiters = [threads.submit(c.execute, "SELECT count(*) FROM shelf") for c in (two, three)]
        assert [waiter.result().fetchone() for waiter in waiters] == [(0,), (0,)]
    assert time.monotonic() - began < TURN_TIMEOUT
    with pytest.raises(errors.IdleInTransactionSessionTimeout) as caught:
        one.execute("SELECT 1")
    said = str(caught.value)
    assert f'"Grafana", user "dash": it was idle in a transaction for {IDLE_TIMEOUT:.0f} s while others waited' in said
    assert caught.value.diag.severity == "FATAL"
    assert "use autocommit" in str(caught.value.diag.message_hint)
    assert "idle_in_transaction_session_timeout" in str(caught.value.diag.message_hint)
    assert 'user "dash") is ended' in shared_server.log
    two.execute("DROP OWNED BY dash; DROP ROLE dash")


@pytest.fixture
def guest(connect: Connect) -> str:
    """A role without rights that may log in."""
    connect().execute("DROP ROLE IF EXISTS visitor; CREATE ROLE visitor LOGIN PASSWORD 'visitor'")
    return "visitor"


def test_a_statement_of_a_role_does_not_keep_others_waiting(
    connect: Connect, guest: str, shared_server: EmbeddedServer
) -> None:
    one, two = connect(user=guest, application_name="Grafana"), connect()
    assert one.execute(f"SELECT pg_sleep({HOLD_TIMEOUT + 0.8})").fetchone() is not None  # no other one waited
    with ThreadPoolExecutor() as threads:
        busy = threads.submit(one.execute, "SELECT pg_sleep(30)")
        time.sleep(0.3)
        assert two.execute("SELECT 1").fetchone() == (1,)
        with pytest.raises(errors.QueryCanceled, match="it has kept others waiting"):
            busy.result()
    assert one.execute("SELECT 1").fetchone() == (1,)
    assert '("Grafana", user "visitor") loses its statement' in shared_server.log


def test_a_busy_transaction_of_a_role_does_not_keep_others_waiting(start: Start) -> None:
    server = start(hold_timeout=1)
    with psycopg.connect(server.url, autocommit=True) as two:
        two.execute("CREATE ROLE visitor LOGIN PASSWORD 'visitor'")
        one = psycopg.connect(server.url, user="visitor", password="visitor")

        def ask_on() -> None:
            while True:
                one.execute("SELECT pg_sleep(0.05)")

        with ThreadPoolExecutor() as threads:
            busy = threads.submit(ask_on)
            time.sleep(0.3)
            began = time.monotonic()
            assert two.execute("SELECT 1").fetchone() == (1,)
            assert time.monotonic() - began < 4
            with pytest.raises(psycopg.Error) as caught:
                busy.result()
        assert caught.value.sqlstate in {"25P04", "57014"}, caught.value  # between two statements, or in one
        one.close()


def test_a_statement_of_the_owner_may_take_long_and_waiters_give_up_and_can_go_on(connect: Connect, guest: str) -> None:
    one, *others = connect(), connect(), connect(user=guest)
    one.execute("SET statement_timeout = 0")
    with ThreadPoolExecutor() as threads:
        busy = threads.submit(one.execute, f"SELECT pg_sleep({TURN_TIMEOUT + 1})")
        time.sleep(0.2)
        for waiter in [threads.submit(other.execute, "SELECT 1") for other in others]:
            with pytest.raises(errors.LockNotAvailable, match="busy"):
                waiter.result()
        assert busy.result().fetchone() is not None
    for other in others:
        assert other.execute("SELECT 2").fetchone() == (2,)


def test_jobs_end_no_idle_transaction(start: Start) -> None:
    server = start(jobs_interval=0.1, idle_timeout=0.5)
    with psycopg.connect(server.url) as alone:
        alone.execute("SELECT 1")
        time.sleep(1.2)
        assert alone.execute("SELECT 2").fetchone() == (2,)


def test_idle_in_transaction_session_timeout(connect: Connect) -> None:
    one = connect(autocommit=False)
    one.execute("SET idle_in_transaction_session_timeout = 300")
    time.sleep(1.2)
    with pytest.raises(errors.IdleInTransactionSessionTimeout):
        one.execute("SELECT 1")


def test_a_client_that_vanishes_is_rolled_back(connect: Connect, table: str) -> None:
    one, two = connect(autocommit=False), connect()
    one.execute("INSERT INTO shelf VALUES (1)")
    one.close()
    assert two.execute("SELECT count(*) FROM shelf").fetchone() == (0,)


def test_connecting_does_not_wait_for_a_transaction(connect: Connect) -> None:
    one = connect(autocommit=False)
    one.execute("SELECT 1")
    began = time.monotonic()
    connect(application_name="someone")
    assert time.monotonic() - began < 0.5
    one.rollback()


@pytest.mark.parametrize("statement", ["SELECT pg_sleep(30)", "SELECT count(*) FROM generate_series(1, 100000000)"])
def test_cancelling_a_running_statement(connect: Connect, statement: str) -> None:
    one = connect()
    timer = threading.Timer(0.3, one.cancel_safe)
    timer.start()
    began = time.monotonic()
    with pytest.raises(errors.QueryCanceled, match="user request"):
        one.execute(statement)
    assert time.monotonic() - began < 3
    assert one.execute("SELECT 1").fetchone() == (1,)
    timer.join()


def test_cancelling_a_waiting_statement(connect: Connect) -> None:
    one, two = connect(autocommit=False), connect()
    one.execute("SELECT 1")
    threading.Timer(0.2, two.cancel_safe).start()
    with pytest.raises(errors.QueryCanceled):
        two.execute("SELECT 1")
    one.rollback()


@pytest.mark.parametrize("scope", ["SET", "SET LOCAL"])
def test_statement_timeout(connect: Connect, scope: str) -> None:
    one = connect()
    with pytest.raises(errors.QueryCanceled, match="statement timeout"), one.transaction():
        one.execute(f"{scope} statement_timeout = '200ms'")
        one.execute("SELECT pg_sleep(30)")
    assert one.execute("SELECT pg_sleep(0.3)").fetchone() is not None


def test_a_pool_of_connections(shared_server: EmbeddedServer, table: str) -> None:
    with ConnectionPool(shared_server.url, min_size=4, max_size=4) as pool:

        def work(worker: int) -> None:
            for i in range(40):
                with pool.connection() as connection:
                    connection.execute("INSERT INTO shelf VALUES (%s, %s)", (worker * 1000 + i, "x"))

        with ThreadPoolExecutor(4) as threads:
            list(threads.map(work, range(4)))
        with pool.connection() as connection:
            assert connection.execute("SELECT count(*) FROM shelf").fetchone() == (160,)


def test_no_client_is_starved(shared_server: EmbeddedServer) -> None:
    """Two clients that ask all the time get about the same share."""
    stop = threading.Event()

    def ask() -> int:
        count = 0
        with psycopg.connect(shared_server.url, autocommit=True) as connection:
            while not stop.is_set():
                connection.execute("SELECT 1")
                count += 1
        return count

    with ThreadPoolExecutor() as threads:
        shares = [threads.submit(ask) for _ in range(2)]
        time.sleep(1)
        stop.set()
        counts = sorted(share.result() for share in shares)
    assert counts[0] > counts[1] / 3
