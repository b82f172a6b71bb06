"""Settings, roles, temporary tables and notifications belong to their connection."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import errors

from scripts.embedded import EmbeddedServer
from tests.embedded.conftest import Connect


@pytest.fixture
def reader(connect: Connect) -> str:
    """A role without rights that may log in."""
    connect().execute("DROP ROLE IF EXISTS reader; CREATE ROLE reader LOGIN PASSWORD 'reader'")
    return "reader"


def show(connection: psycopg.Connection[tuple[object, ...]], name: str) -> object:
    row = connection.execute(f"SHOW {name}").fetchone()
    assert row is not None
    return row[0]


def test_settings_do_not_leak(connect: Connect) -> None:
    one, two = connect(), connect()
    one.execute("SET work_mem = '8MB'; SET TimeZone = 'Europe/Berlin'; SET search_path = elsewhere")
    assert [show(two, name) for name in ("work_mem", "TimeZone", "search_path")] == ["4MB", "UTC", '"$user", public']
    assert [show(one, name) for name in ("work_mem", "TimeZone", "search_path")] == [
        "8MB",
        "Europe/Berlin",
        "elsewhere",
    ]


def test_invented_settings_do_not_leak(connect: Connect) -> None:
    one, two = connect(), connect()
    one.execute("SELECT set_config(%s, 'acme', false)", ("app.tenant",))
    one.execute("SET app.person = 'ada'")
    assert two.execute("SELECT current_setting('app.tenant', true)").fetchone() in [(None,), ("",)]
    assert one.execute("SELECT current_setting('app.tenant'), current_setting('app.person')").fetchone() == (
        "acme",
        "ada",
    )


def test_a_rolled_back_setting_is_gone(connect: Connect) -> None:
    one = connect(autocommit=False)
    one.execute("SET work_mem = '9MB'")
    one.rollback()
    assert show(one, "work_mem") == "4MB"


@pytest.mark.parametrize(
    "reset", ["RESET ALL", "DISCARD ALL", "SET search_path TO DEFAULT", "SET enable_seqscan TO DEFAULT"]
)
def test_a_reset_gives_sane_defaults(connect: Connect, reset: str) -> None:
    one = connect()
    one.execute("SET search_path = elsewhere; SET enable_seqscan = off")
    one.execute(reset)
    assert show(one, "search_path") == '"$user", public' or "enable_seqscan" in reset
    assert show(one, "enable_seqscan") == "on" or "search_path" in reset
    assert show(one, "hyperpulse.embedded") == "on"
    assert show(one, "allow_system_table_mods") == "off"


def test_there_is_no_autovacuum(connect: Connect) -> None:
    one = connect()
    one.execute("RESET ALL")
    assert show(one, "autovacuum") == "off"


def test_startup_options(connect: Connect) -> None:
    one = connect(options="-c work_mem=5MB -c search_path=a,\\ b --statement-timeout=250", application_name="app")
    assert [show(one, name) for name in ("work_mem", "search_path", "application_name")] == ["5MB", "a, b", "app"]
    assert show(connect(), "work_mem") == "4MB"
    with pytest.raises(errors.QueryCanceled):
        one.execute("SELECT pg_sleep(10)")


def test_a_bad_startup_option_is_refused(connect: Connect) -> None:
    with pytest.raises(psycopg.OperationalError, match="no_such_thing"):
        connect(options="-c no_such_thing=1")


def test_set_role(connect: Connect, reader: str) -> None:
    one, two = connect(), connect()
    one.execute("SET ROLE reader")
    assert two.execute("SELECT current_user").fetchone() == ("postgres",)
    assert one.execute("SELECT current_user, session_user").fetchone() == ("reader", "postgres")
    one.execute("RESET ALL")
    assert one.execute("SELECT current_user").fetchone() == ("reader",)
    one.execute("RESET ROLE")
    assert one.execute("SELECT current_user").fetchone() == ("postgres",)


@pytest.mark.parametrize("end", ["RESET SESSION AUTHORIZATION", "DISCARD ALL", "SET SESSION AUTHORIZATION DEFAULT"])
def test_connecting_as_another_user(connect: Connect, reader: str, table: str, end: str) -> None:
    one, two = connect(user="reader"), connect()
    assert two.execute("SELECT session_user").fetchone() == ("postgres",)
    assert one.execute("SELECT current_user, session_user").fetchone() == ("reader", "reader")
    assert one.info.parameter_status("is_superuser") == "off"
    with pytest.raises(errors.InsufficientPrivilege):
        one.execute("SELECT * FROM shelf")
    one.execute(end)
    assert one.execute("SELECT current_user, session_user").fetchone() == ("reader", "reader")


def test_session_authorization(connect: Connect, reader: str) -> None:
    one, two = connect(), connect()
    one.execute("SET SESSION AUTHORIZATION reader")
    assert two.execute("SELECT session_user").fetchone() == ("postgres",)
    assert one.execute("SELECT session_user").fetchone() == ("reader",)
    one.execute("RESET SESSION AUTHORIZATION")
    assert one.execute("SELECT session_user").fetchone() == ("postgres",)


@pytest.mark.parametrize(
    ("user", "database", "says"),
    [
        ("nobody", "postgres", 'password authentication failed for user "nobody"'),
        ("postgres", "nowhere", 'database "nowhere" does not exist'),
    ],
)
def test_unknown_users_and_databases(connect: Connect, user: str, database: str, says: str) -> None:
    with pytest.raises(psycopg.OperationalError, match=says):
        connect(database, user=user)


def test_a_role_that_may_not_log_in(connect: Connect) -> None:
    connect().execute("DROP ROLE IF EXISTS staff; CREATE ROLE staff PASSWORD 'staff'")
    with pytest.raises(psycopg.OperationalError, match="not permitted to log in"):
        connect(user="staff")


def test_temporary_tables_end_with_their_connection(connect: Connect) -> None:
    one, two = connect(), connect()
    one.execute("CREATE TEMP TABLE scratch AS SELECT 1")
    two.execute("CREATE TEMPORARY TABLE scratch2 (x int)")
    one.close()
    with pytest.raises(errors.UndefinedTable):
        connect().execute("SELECT * FROM scratch")
    assert two.execute("SELECT count(*) FROM scratch2").fetchone() == (0,)


def test_listen_and_notify(connect: Connect) -> None:
    one, two, three = connect(), connect(), connect()
    one.execute("LISTEN news")
    two.execute('LISTEN "Other"')
    three.execute("SELECT pg_notify('news', 'first')")
    three.execute("NOTIFY \"Other\", 'second'")
    news = list(one.notifies(timeout=5, stop_after=1))
    assert [(n.channel, n.payload, n.pid) for n in news] == [("news", "first", three.info.backend_pid)]
    assert [(n.channel, n.payload) for n in two.notifies(timeout=5, stop_after=1)] == [("Other", "second")]
    assert list(three.notifies(timeout=0)) == []


@pytest.mark.parametrize("stop", ["UNLISTEN news", "UNLISTEN *", "DISCARD ALL"])
def test_unlisten_is_for_one_connection_only(connect: Connect, stop: str) -> None:
    one, two = connect(), connect()
    one.execute("LISTEN news")
    two.execute("LISTEN news")
    one.execute(stop)
    two.execute("NOTIFY news, 'x'")
    assert len(list(two.notifies(timeout=5, stop_after=1))) == 1
    assert list(one.notifies(timeout=0)) == []


def test_notifications_come_at_commit_or_not_at_all(connect: Connect) -> None:
    one, two = connect(), connect()
    one.execute("LISTEN news")
    with pytest.raises(ZeroDivisionError), two.transaction():
        two.execute("NOTIFY news, 'undone'")
        raise ZeroDivisionError
    two.execute("NOTIFY news, 'done'")
    assert [n.payload for n in one.notifies(timeout=5, stop_after=1)] == ["done"]


def test_a_rolled_back_listen_hears_nothing(connect: Connect) -> None:
    one, two = connect(autocommit=False), connect()
    one.execute("LISTEN quiet")
    one.rollback()
    two.execute("NOTIFY quiet")
    assert list(one.notifies(timeout=0.1)) == []


def test_timescaledb_is_there_with_its_community_features(shared_server: EmbeddedServer, connect: Connect) -> None:
    one = connect()
    one.execute("CREATE TABLE pulse (ts timestamptz NOT NULL, v int)")
    one.execute("SELECT create_hypertable('pulse', 'ts')")
    one.execute(
        "INSERT INTO pulse SELECT '2026-01-01'::timestamptz + i * interval '1 min', i FROM generate_series(1, 100) i"
    )
    one.execute(
        "CREATE MATERIALIZED VIEW pulse_hour WITH (timescaledb.continuous) AS"
        " SELECT time_bucket('1 hour', ts) AS bucket, sum(v) FROM pulse GROUP BY 1"
    )
    assert one.execute("SELECT sum(sum) FROM pulse_hour").fetchone() == (5050,)
    one.execute("DROP MATERIALIZED VIEW pulse_hour")
    one.execute("DROP TABLE pulse")
