"""A hostile BI login tries to hold up those who write."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeAlias

import psycopg
import pytest

from scripts.migrate import migrate
from tests.support.bi import OTHER, TENANT_VIEWS, Logins
from tests.support.database import listen

pytestmark = pytest.mark.native

Connection: TypeAlias = psycopg.Connection[Any]


def write(owner: Connection, user: str = "private of two") -> None:
    owner.execute(
        "INSERT INTO api.readings (tenant_id, user_id, device_id, ts, steps) VALUES (%s, %s, 'watch', now(), 1)",
        [OTHER, user],
    )


def everything_goes_on(owner: Connection) -> None:
    """Write, erase, change a priority, refresh, claim and migrate, each within the lock timeout."""
    begun = time.monotonic()
    write(owner)
    write(owner, "gone soon")
    owner.execute("SELECT api.erase_user(%s, 'gone soon')", [OTHER])
    owner.execute("SELECT api.set_device(%s, 'watch', NULL, 3)", [OTHER])
    owner.execute("SELECT api.set_device(%s, 'watch', NULL, 999)", [OTHER])
    # So that there is something to announce.
    owner.execute(
        "UPDATE core.horizon SET announced = materialized, materialized = materialized - INTERVAL '15 minutes'"
    )
    owner.execute("UPDATE core.horizon SET announced = materialized")
    owner.execute("CALL api.refresh()")
    row = owner.execute("SELECT now() - materialized < INTERVAL '100 minutes' FROM core.horizon").fetchone()
    assert row == (True,)
    assert owner.execute("SELECT api_internal.claim('refresher')").fetchone() == (True,)
    owner.execute("SELECT api_internal.release('refresher')")
    assert time.monotonic() - begun < 10


def test_locks_hold_nobody_up(logins: Logins, owner: Connection, own_url: str) -> None:
    """Those of the release before, and all that a reader can take, by a login without the superuser's script."""
    owner.execute("GRANT EXECUTE ON FUNCTION pg_advisory_lock(bigint), pg_advisory_lock(int, int) TO PUBLIC")
    with psycopg.connect(logins.tenant, options="-c statement_timeout=0") as hostile:
        for name in ("refresh", "horizon", "enrolment"):
            hostile.execute("SELECT pg_advisory_lock(hashtext('hyperpulse ' || %s))", [name])
        for name in ("events", "upkeep", "refresher"):
            hostile.execute(
                "SELECT pg_advisory_lock(hashtext('hyperpulse ' || %s), g) FROM generate_series(0, 8) AS g", [name]
            )
        hostile.execute("SELECT pg_advisory_lock(%s)", [0x6879706572])
        for view in TENANT_VIEWS:
            hostile.execute(f"LOCK TABLE api.{view} IN ACCESS SHARE MODE".encode())
        everything_goes_on(owner)
        assert migrate(own_url).applied == ()
    owner.execute("REVOKE EXECUTE ON FUNCTION pg_advisory_lock(bigint), pg_advisory_lock(int, int) FROM PUBLIC")


def test_a_reader_of_what_retention_drops_holds_no_writer_up(logins: Logins, owner: Connection, own_url: str) -> None:
    owner.execute("UPDATE core.setting SET value = '9 days' WHERE name = 'raw_retention'")
    chunks = "SELECT count(*) FROM show_chunks('core.reading', older_than => INTERVAL '9 days 1 hour')"
    try:
        with (
            psycopg.connect(logins.tenant) as hostile,
            psycopg.connect(own_url, autocommit=True) as upkeep,
            ThreadPoolExecutor(1) as pool,
        ):
            hostile.execute("LOCK TABLE api.readings IN ACCESS SHARE MODE")
            old = owner.execute(chunks).fetchone()
            running = pool.submit(upkeep.execute, "CALL api.upkeep()")
            while not running.done():
                write(owner)
            running.result()
            assert owner.execute(chunks).fetchone() == old != (0,)
        owner.execute("CALL api.upkeep()")
        assert owner.execute(chunks).fetchone() == (0,)
    finally:
        owner.execute("UPDATE core.setting SET value = NULL WHERE name = 'raw_retention'")


def test_announcements_are_neither_heard_nor_sent(hostile: Connection, owner: Connection) -> None:
    for channel in ("readings", "listeners"):
        hostile.execute(f"LISTEN {channel}".encode())
    listen(owner)
    try:
        write(owner)
        hostile.execute("NOTIFY readings, 'many'")
        assert [notification.payload for notification in hostile.notifies(timeout=0.5)] == ["many"]
        heard = [notification.payload for notification in owner.notifies(timeout=0.5)]
        assert len(heard) == 1
        assert heard != ["many"]
    finally:
        owner.execute("UNLISTEN *")


@pytest.mark.parametrize("lasting", ["SELECT pg_sleep(60)", "BEGIN; SELECT * FROM api.users"])
def test_what_lasts_too_long_is_ended(logins: Logins, owner: Connection, lasting: str) -> None:
    """A role can reset its timeouts, but not the limit of the refresher; others are left alone."""
    owner.execute("UPDATE core.setting SET value = '1 second' WHERE name = 'bi_time_limit'")
    try:
        with (
            psycopg.connect(logins.tenant, autocommit=True) as hostile,
            psycopg.connect(logins.operator, autocommit=True) as quick,
            psycopg.connect(owner.info.dsn, autocommit=True) as bystander,
        ):
            hostile.execute("SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0")
            bystander.execute("BEGIN; SELECT 1")
            hostile.pgconn.send_query(lasting.encode())
            deadline = time.monotonic() + 10
            alive = "SELECT count(*) FROM pg_stat_activity WHERE pid = %s"
            while owner.execute(alive, [hostile.info.backend_pid]).fetchone() == (1,):
                assert time.monotonic() < deadline
                owner.execute("CALL api.refresh()")
                time.sleep(0.2)
            hostile.close()
            assert quick.execute("SELECT 1").fetchone() == bystander.execute("SELECT 1").fetchone() == (1,)
    finally:
        owner.execute("UPDATE core.setting SET value = '15 minutes' WHERE name = 'bi_time_limit'")
