"""What ALTER ROLE and ALTER DATABASE record holds from the next login on, as in PostgreSQL."""

from __future__ import annotations

import time
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import errors

from scripts.embedded import EmbeddedServer
from tests.embedded.conftest import TURN_TIMEOUT, Connect
from tests.embedded.raw import dial, log_in, startup
from tests.embedded.test_settings import show

Admin = psycopg.Connection[tuple[object, ...]]


@pytest.fixture
def admin(connect: Connect) -> Iterator[Admin]:
    """The superuser, with a role grafana that may log in; what is recorded is forgotten after the test."""
    one = connect()
    one.execute("DROP ROLE IF EXISTS grafana; CREATE ROLE grafana LOGIN PASSWORD 'grafana'")
    yield one
    one.execute("DELETE FROM pg_db_role_setting; DROP ROLE grafana; DROP ROLE IF EXISTS analysts")


def test_a_role_begins_with_its_settings(admin: Admin, connect: Connect) -> None:
    admin.execute("ALTER ROLE grafana SET statement_timeout = '250ms'")
    admin.execute("ALTER ROLE grafana SET default_transaction_isolation = 'repeatable read'")
    admin.execute("ALTER ROLE grafana SET plan_cache_mode = 'force_custom_plan'")
    admin.execute("ALTER ROLE grafana SET log_min_messages = 'error'")  # which only a superuser may set
    grafana = connect(user="grafana")
    assert show(grafana, "transaction_isolation") == "repeatable read"
    assert show(grafana, "plan_cache_mode") == "force_custom_plan"
    assert show(grafana, "log_min_messages") == "error"
    with pytest.raises(errors.QueryCanceled, match="statement timeout"):
        grafana.execute("SELECT pg_sleep(10)")
    assert show(connect(), "plan_cache_mode") == "auto"
    assert show(admin, "transaction_isolation") == "read committed"


def test_the_most_specific_takes_precedence(admin: Admin, connect: Connect) -> None:
    def seen() -> object:
        return show(connect(user="grafana"), "work_mem")

    assert seen() == "4MB"
    for scope, value in [
        ("ROLE ALL", "5MB"),
        ("DATABASE postgres", "6MB"),
        ("ROLE grafana", "7MB"),
        ("ROLE grafana IN DATABASE postgres", "8MB"),
    ]:
        admin.execute(f"ALTER {scope} SET work_mem = '{value}'")
        assert seen() == value
    assert show(connect(), "work_mem") == "6MB"
    assert show(connect(user="grafana", options="-c work_mem=9MB"), "work_mem") == "9MB"
    admin.execute("ALTER ROLE grafana IN DATABASE postgres RESET ALL")
    assert seen() == "7MB"


@pytest.mark.parametrize("reset", ["RESET ALL", "DISCARD ALL", "RESET work_mem", "SET work_mem TO DEFAULT"])
@pytest.mark.parametrize("user", ["grafana", "postgres"])
def test_a_reset_goes_back_to_them(admin: Admin, connect: Connect, user: str, reset: str) -> None:
    admin.execute("ALTER DATABASE postgres SET work_mem = '6MB'; ALTER ROLE ALL SET app.tenant = 'acme'")
    one = connect(user=user, application_name="Grafana")
    one.execute("SET work_mem = '1MB'")
    one.execute(reset)
    assert [show(one, name) for name in ("work_mem", "app.tenant", "application_name")] == ["6MB", "acme", "Grafana"]
    with one.transaction():
        one.execute("SET work_mem = '1MB'")
        if reset != "DISCARD ALL":
            one.execute(reset)
            assert show(one, "work_mem") == "6MB"


def test_a_reset_goes_back_to_startup_options(connect: Connect) -> None:
    one = connect(options="-c work_mem=5MB")
    one.execute("SET work_mem = '1MB'")
    one.execute("RESET ALL")
    assert show(one, "work_mem") == "5MB"


def test_a_local_reset_ends_with_its_transaction(admin: Admin, connect: Connect) -> None:
    admin.execute("ALTER ROLE grafana SET work_mem = '7MB'")
    grafana = connect(user="grafana")
    grafana.execute("SET work_mem = '1MB'")
    with grafana.transaction():
        grafana.execute("SET LOCAL work_mem TO DEFAULT")
        assert show(grafana, "work_mem") == "7MB"
    assert show(grafana, "work_mem") == "1MB"


def test_hostile_values_are_only_values(admin: Admin, connect: Connect) -> None:
    paths = r"""'a b', 'it''s', E'back\\slash', 'say "hi"', "$user", 'x; DROP ROLE grafana; --'"""
    admin.execute("ALTER ROLE grafana SET search_path = " + paths)
    admin.execute(r"""ALTER ROLE grafana SET app.text = E'\\''); SELECT ''a=b'' -- "\n'""")
    for _ in range(2):
        one = connect(user="grafana")
        assert show(one, "search_path") == (
            r'''"a b", "it's", "back\slash", "say ""hi""", "$user", "x; DROP ROLE grafana; --"'''
        )
        assert show(one, "app.text") == "\\'); SELECT 'a=b' -- \"\n"
        assert one.execute("SELECT current_schemas(false)").fetchone() == ([],)


def test_what_is_not_valid_any_more_does_not_prevent_a_login(admin: Admin, connect: Connect) -> None:
    admin.execute("ALTER ROLE ALL SET work_mem = '7MB'")
    admin.execute(
        """INSERT INTO pg_db_role_setting
             SELECT 0, oid, '{work_mem=much,no_such_setting=1,log_connections=on,role=gone,TimeZone=Asia/Tokyo}'
               FROM pg_roles WHERE rolname IN ('grafana', 'postgres')"""
    )
    for user in ("grafana", "postgres"):
        one = connect(user=user)
        assert [show(one, name) for name in ("work_mem", "TimeZone")] == ["7MB", "Asia/Tokyo"]
        assert one.execute("SELECT current_user, session_user").fetchone() == (user, user)


def test_a_value_that_is_ignored_is_a_warning(admin: Admin, shared_server: EmbeddedServer) -> None:
    admin.execute(
        "INSERT INTO pg_db_role_setting SELECT 0, oid, '{work_mem=much}' FROM pg_roles WHERE rolname = 'grafana'"
    )
    with dial(shared_server) as connection:
        greeting = log_in(connection, "grafana", startup("grafana"))
    assert b"SWARNING\0" in greeting
    assert b'"work_mem" of ALTER ROLE or ALTER DATABASE is ignored' in greeting


def test_a_role_of_a_role(admin: Admin, connect: Connect) -> None:
    admin.execute("CREATE ROLE analysts; GRANT analysts TO grafana; ALTER ROLE grafana SET role = 'analysts'")
    grafana = connect(user="grafana")
    assert grafana.execute("SELECT current_user, session_user").fetchone() == ("analysts", "grafana")
    for back in ("SET ROLE NONE; RESET ROLE", "SET ROLE grafana; SET role TO DEFAULT", "RESET SESSION AUTHORIZATION"):
        grafana.execute(back)
        assert grafana.execute("SELECT current_user, session_user").fetchone() == ("analysts", "grafana")


def test_the_superuser_hears_of_its_settings_without_waiting_for_a_turn(admin: Admin, connect: Connect) -> None:
    with admin.transaction():
        admin.execute("ALTER DATABASE postgres SET TimeZone = 'Europe/Berlin'")
        admin.execute("ALTER ROLE postgres SET idle_in_transaction_session_timeout = '123s'")
        assert connect().info.parameter_status("TimeZone") == "UTC", "it is not committed yet"
    admin.execute("BEGIN; SELECT 1")
    began = time.monotonic()
    one = connect()
    assert time.monotonic() - began < TURN_TIMEOUT / 2
    assert one.info.parameter_status("TimeZone") == "Europe/Berlin"
    admin.execute("ROLLBACK")
    assert show(one, "idle_in_transaction_session_timeout") == "123s"
    admin.execute("DO $$ BEGIN EXECUTE format('ALTER DATABASE %I RESET ALL', current_database()); END $$")
    assert connect().info.parameter_status("TimeZone") == "UTC"


def test_settings_of_a_database_belong_to_it(admin: Admin, connect: Connect) -> None:
    admin.execute("CREATE DATABASE other")
    try:
        for statement in ("ALTER DATABASE other SET work_mem = '6MB'", "ALTER ROLE ALL IN DATABASE other RESET ALL"):
            with pytest.raises(errors.FeatureNotSupported, match='connect to "other"'):
                admin.execute(statement)
        with connect("other") as other:
            other.execute("ALTER DATABASE other SET work_mem = '6MB'")
        with connect("other") as other:
            assert show(other, "work_mem") == "6MB"
        assert show(connect(), "work_mem") == "4MB"
    finally:
        admin.execute("DROP DATABASE other")
