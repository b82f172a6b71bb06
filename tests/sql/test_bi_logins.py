"""What each kind of BI login sees of each view and function of api, and what scripts/roles.py makes of a login."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from scripts.migrate import migrate
from scripts.roles import SUPERUSER_SCRIPT, connect, create, main
from tests.support.bi import MINE, OTHER, PASSWORD, TENANT_VIEWS, Logins, bi_logins, fill, login
from tests.support.database import empty, new_database

BOTH = {MINE, OTHER}
DENIED = "denied"
RANGE = "now() - INTERVAL '9 days', now() + INTERVAL '1 day'"
# Who has read a view or called a function sees rows of these tenants; what has no tenant is of `None`.
OPERATOR_VIEWS = {"freshness", "settings"}
REGISTRY_VIEWS = {"metrics"}  # with rows of no tenant beside
WRITE_ONLY_VIEWS = {"incoming_readings"}
TENANT_FUNCTIONS = {
    "daily": "SELECT tenant_id FROM api.daily()",
    "home_daily": "SELECT tenant_id FROM api.home_daily()",
    "event_counts": f"SELECT t FROM tenants AS t, api.event_counts(t, '1d', NULL, NULL, {RANGE})",
    "latest": "SELECT t FROM tenants AS t, api.latest(t, '101')",
    "latest_samples": "SELECT t FROM tenants AS t, api.latest_samples(t, '101')",
    "metric_series": f"SELECT n.t FROM tenants AS n, api.metric_series(n.t, '101', {RANGE}, ARRAY['spo2', 'steps'])",
    "metric_summary": f"SELECT t FROM tenants AS t, api.metric_summary(t, '101', {RANGE}, ARRAY['spo2']) AS s"
    " WHERE s.count > 0",
    "overview": "SELECT t FROM tenants AS t, api.overview(t)",
    "series": f"SELECT n.t FROM tenants AS n, api.series(n.t, '101', {RANGE}, '1h')",
    "summary": f"SELECT t FROM tenants AS t, api.summary(t, '101', {RANGE}) AS s WHERE s.heart_rate_count > 0",
    "worn_devices": f"SELECT t FROM tenants AS t, api.worn_devices(t, '101', {RANGE})",
}
PLAIN_FUNCTIONS = {
    "auto_bucket": f"SELECT NULL FROM api.auto_bucket({RANGE}, 100)",
    "time_zone": "SELECT NULL FROM api.time_zone('CET') WHERE api.time_zone('Asia/Calcutta') <> ''",
}
OWNER_FUNCTIONS = {
    "delete_readings": f"SELECT api.delete_readings('one', '101', {RANGE})",
    "erase_user": "SELECT api.erase_user('one', '101')",
    "refresh": "CALL api.refresh()",
    "set_device": "SELECT api.set_device('one', 'watch', 'mine', 1)",
    "set_metric": "SELECT api.set_metric('one', 'strain', '{score}', 'latest', 0, 21)",
    "set_goal": "SELECT api.set_goal('one', '101', 'steps', 1)",
    "set_time_zone": "SELECT api.set_time_zone('one', '101', 'Europe/Berlin')",
    "upkeep": "CALL api.upkeep()",
    "verify": f"SELECT api.verify({RANGE})",
}
ASKED = "WITH tenants (t) AS (VALUES ('one'), ('two'), ('nobody')) {}"


@pytest.fixture(scope="module")
def owner(database_url: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(database_url, autocommit=True, options="-c timezone=UTC") as connection:
        empty(connection)
        fill(connection)
        yield connection


@pytest.fixture(scope="module")
def logins(owner: psycopg.Connection[Any], database_url: str) -> Iterator[Logins]:
    with bi_logins(owner, database_url) as made:
        yield made


def seen(url: str, statement: str) -> Any:
    """Return which tenants a login sees rows of, or that it is denied."""
    with psycopg.connect(url, autocommit=True, options="-c timezone=UTC") as connection:
        try:
            return {tenant for (tenant,) in connection.execute(statement.encode()).fetchall()}
        except psycopg.errors.InsufficientPrivilege:
            return DENIED


def by_login(logins: Logins, statement: str) -> list[Any]:
    return [seen(url, statement) for url in logins]


def test_the_matrix_has_every_view_and_function(owner: psycopg.Connection[Any]) -> None:
    views = {name for (name,) in owner.execute("SELECT viewname FROM pg_views WHERE schemaname = 'api'")}
    assert views == TENANT_VIEWS | OPERATOR_VIEWS | REGISTRY_VIEWS | WRITE_ONLY_VIEWS
    functions = {
        name for (name,) in owner.execute("SELECT proname FROM pg_proc WHERE pronamespace = 'api'::regnamespace")
    }
    assert functions == TENANT_FUNCTIONS.keys() | PLAIN_FUNCTIONS.keys() | OWNER_FUNCTIONS.keys()


@pytest.mark.parametrize("view", sorted(TENANT_VIEWS))
def test_a_view_of_tenants(logins: Logins, owner: psycopg.Connection[Any], view: str) -> None:
    statement = f"SELECT tenant_id FROM api.{view}"
    assert {tenant for (tenant,) in owner.execute(statement.encode())} == BOTH
    assert by_login(logins, statement) == [{MINE}, BOTH, set(), DENIED]
    barrier = "SELECT 'security_barrier=true' = ANY (reloptions) FROM pg_class WHERE oid = %s::regclass"
    assert owner.execute(barrier, [f"api.{view}"]).fetchone() == (True,)


@pytest.mark.parametrize("view", sorted(OPERATOR_VIEWS))
def test_a_view_for_operators(logins: Logins, view: str) -> None:
    assert by_login(logins, f"SELECT NULL FROM api.{view} AS v WHERE v IS DISTINCT FROM NULL") == [
        DENIED,
        {None},
        DENIED,
        DENIED,
    ]


@pytest.mark.parametrize("view", sorted(REGISTRY_VIEWS))
def test_a_view_with_what_is_built_in(logins: Logins, owner: psycopg.Connection[Any], view: str) -> None:
    statement = f"SELECT tenant_id FROM api.{view}"
    assert by_login(logins, statement) == [{None, MINE}, {None, *BOTH}, {None}, DENIED]
    # Names, too: a row of another tenant could come without its tenant, as built-in ones do.
    whose = f"SELECT substr(name, 11) FROM api.{view} WHERE name ~ '^metric_of_'"
    assert by_login(logins, whose) == [{MINE}, BOTH, set(), DENIED]
    barrier = "SELECT 'security_barrier=true' = ANY (reloptions) FROM pg_class WHERE oid = %s::regclass"
    assert owner.execute(barrier, [f"api.{view}"]).fetchone() == (True,)


@pytest.mark.parametrize("view", sorted(WRITE_ONLY_VIEWS))
def test_a_view_for_writers(logins: Logins, view: str) -> None:
    assert by_login(logins, f"SELECT NULL FROM api.{view}") == [DENIED, set(), DENIED, DENIED]


@pytest.mark.parametrize("column", ["last_error", "last_failure", "refreshed_by", "stale_days", "failures"])
def test_freshness_gives_a_tenant_no_failure(logins: Logins, column: str) -> None:
    assert by_login(logins, "SELECT NULL FROM (SELECT level, horizon, lag, last_refresh FROM api.freshness) AS f") == [
        {None}, {None}, {None}, DENIED,
    ]  # fmt: skip
    assert seen(logins.tenant, f"SELECT {column} FROM api.freshness") == DENIED


@pytest.mark.parametrize("function", sorted(TENANT_FUNCTIONS))
def test_a_function_about_tenants(logins: Logins, owner: psycopg.Connection[Any], function: str) -> None:
    statement = ASKED.format(TENANT_FUNCTIONS[function])
    assert {tenant for (tenant,) in owner.execute(statement.encode())} == BOTH
    assert by_login(logins, statement) == [{MINE}, BOTH, set(), DENIED]


@pytest.mark.parametrize("function", sorted(PLAIN_FUNCTIONS))
def test_a_function_about_no_tenant(logins: Logins, function: str) -> None:
    assert by_login(logins, PLAIN_FUNCTIONS[function]) == [{None}, {None}, {None}, DENIED]


@pytest.mark.parametrize("function", sorted(OWNER_FUNCTIONS))
def test_a_function_for_the_owner(logins: Logins, function: str) -> None:
    assert by_login(logins, OWNER_FUNCTIONS[function]) == [DENIED] * 4


@pytest.mark.parametrize(
    "view",
    [
        "readings",
        "samples",
        "intervals",
        "best_readings",
        "vitals_1m",
        "vitals_15m",
        "vitals_1h",
        "vitals_1d",
        "metrics_1h",
    ],
)
def test_conditions_on_users_and_ranges_are_moved_into_a_view(logins: Logins, view: str) -> None:
    """A barrier keeps conditions that may leak outside, in a scan of the view; others reach the indexes."""
    column = "ts" if view in ("readings", "samples", "intervals") else "bucket"
    inside = f"tenant_id = 'one' AND user_id = '101' AND {column} >= now() - INTERVAL '3 days'"
    with psycopg.connect(logins.tenant, autocommit=True) as tenant:

        def is_scanned(condition: str) -> bool:
            plan = tenant.execute(f"EXPLAIN (COSTS OFF) SELECT * FROM api.{view} WHERE {condition}".encode())
            return any(f"Subquery Scan on {view}" in line for (line,) in plan.fetchall())

        assert not is_scanned(inside)
        assert is_scanned(f"{inside} AND user_id LIKE '1%'")


def test_a_member_of_bi_reader_sees_all_until_it_is_bound(owner: psycopg.Connection[Any], logins: Logins) -> None:
    with psycopg.connect(logins.operator, autocommit=True) as operator:
        asked = "SELECT array_agg(DISTINCT tenant_id ORDER BY tenant_id) FROM api.users"
        assert operator.execute(asked).fetchone() == ([MINE, OTHER],)
        bind = "INSERT INTO core.bi_login SELECT %s::regrole, tenant_key FROM core.tenant WHERE tenant_id = %s"
        owner.execute(bind, [operator.info.user, OTHER])
        try:
            assert operator.execute(asked).fetchone() == ([OTHER],)
            assert operator.execute("SELECT * FROM api.latest('one', '101')").fetchall() == []
        finally:
            owner.execute("DELETE FROM core.bi_login WHERE role = %s::regrole", [operator.info.user])


def test_the_roles_of_bi_tools(owner: psycopg.Connection[Any], logins: Logins) -> None:
    """Members of the groups, through other roles too; the groups themselves are none, nor what acts for the owner."""
    tenants, team, colleague = (f"{kind}_{os.getpid()}" for kind in ("bi_tenants", "bi_team", "bi_colleague"))
    owner.execute(f"CREATE ROLE {tenants} IN ROLE bi_tenant; CREATE ROLE {team} LOGIN IN ROLE {tenants}".encode())
    owner.execute(f"CREATE ROLE {colleague} LOGIN IN ROLE bi_reader".encode())
    owner.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(owner.info.user), sql.Identifier(colleague)))
    try:
        found = owner.execute("SELECT name, is_operator, may_log_in FROM api_internal.bi_role").fetchall()
    finally:
        owner.execute(f"DROP ROLE {team}, {tenants}, {colleague}".encode())
    made = {conninfo_to_dict(url)["user"]: kind for kind, url in logins._asdict().items()}
    kinds = {(made.get(name, name), is_operator, may_log_in) for name, is_operator, may_log_in in found}
    here = {*Logins._fields, tenants, team, colleague, owner.info.user, "bi_reader", "bi_tenant"}
    assert {row for row in kinds if row[0] in here} == {
        ("tenant", False, True), ("operator", True, True), ("unbound", False, True), (team, False, True),
        (tenants, False, False),
    }  # fmt: skip


# The command


def run(capsys: pytest.CaptureFixture[str], url: str, *arguments: str) -> tuple[int, str, str]:
    code = main(["--database-url", url, *arguments])
    return code, *capsys.readouterr()


@pytest.fixture
def name(owner: psycopg.Connection[Any]) -> Iterator[str]:
    """A name with letters that have to be quoted, whose role is dropped afterwards."""
    chosen = f'Bi "Tool" {os.getpid()}'
    yield chosen
    if owner.execute("SELECT FROM pg_roles WHERE rolname = %s", [chosen]).fetchone() is not None:
        quoted = chosen.replace('"', '""')
        owner.execute("DELETE FROM core.bi_login WHERE role = quote_ident(%s)::regrole", [chosen])
        owner.execute(f'DROP OWNED BY "{quoted}"; DROP ROLE "{quoted}"'.encode())


def test_the_command_creates_lists_and_drops(
    owner: psycopg.Connection[Any], database_url: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, password, said = run(capsys, database_url, "create", name, "--tenant", MINE, "--connections", "3")
    assert (code, said.splitlines()[0]) == (0, f"roles: created {name}, which sees one")
    assert len(password.removesuffix("\n")) == 32
    row = owner.execute(
        "SELECT rolconnlimit, rolcreaterole, rolsuper FROM pg_roles WHERE rolname = %s", [name]
    ).fetchone()
    assert row == (3, False, False)
    assert f"{name}: tenant one; 0 of 3 connections" in run(capsys, database_url, "list")[1].splitlines()
    with psycopg.connect(database_url, user=name, password=password.strip(), autocommit=True) as tool:
        assert tool.execute("SELECT DISTINCT tenant_id FROM api.users").fetchall() == [(MINE,)]
        settings = {
            setting: (tool.execute("SELECT current_setting(%s)", [setting]).fetchone() or ("",))[0]
            for setting in ("default_transaction_read_only", "statement_timeout", "TimeZone", "temp_file_limit")
        }
        assert list(settings.values()) == ["on", "2min", "UTC", "1GB"]
    assert run(capsys, database_url, "drop", name)[:2] == (0, f"dropped {name}\n")
    assert owner.execute("SELECT FROM pg_roles WHERE rolname = %s", [name]).fetchone() is None
    assert owner.execute("SELECT count(*) FROM core.bi_login WHERE role::text ~ 'Tool'").fetchone() == (0,)
    noted = owner.execute(
        "SELECT act, tenant_id FROM core.audit WHERE detail ->> 'login' = %s ORDER BY entry", [name]
    ).fetchall()
    assert noted == [("create BI login", MINE), ("drop BI login", MINE)]


def test_a_password_from_standard_input_is_not_printed(
    owner: psycopg.Connection[Any],
    database_url: str,
    name: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.stdin.readline", lambda: "s3cret\n", raising=False)
    code, printed, said = run(capsys, database_url, "create", name, "--operator", "--password-stdin")
    assert (code, printed) == (0, "")
    assert said == f"roles: created {name}, which sees all tenants\n"
    row = owner.execute(
        "SELECT rolpassword LIKE 'SCRAM-SHA-256$%%' FROM pg_authid WHERE rolname = %s", [name]
    ).fetchone()
    assert row == (True,)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["create", "{name}", "--tenant", "nobody"], "There is no tenant nobody"),
        (["create", "x" * 64, "--operator"], "has 64 bytes"),
        (["create", "postgres", "--operator"], "The role postgres exists"),
        (["drop", "postgres"], "postgres is no BI login"),
        (["drop", "bi_reader"], "bi_reader is no BI login"),
    ],
)
def test_what_cannot_be_done_is_a_sentence(
    owner: psycopg.Connection[Any],
    database_url: str,
    name: str,
    arguments: list[str],
    sentence: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, said, complaint = run(capsys, database_url, *(argument.format(name=name) for argument in arguments))
    assert (code, said) == (1, "")
    assert sentence in complaint
    assert owner.execute("SELECT FROM pg_roles WHERE rolname = %s", [name]).fetchone() is None


@pytest.mark.native
def test_an_owner_who_is_no_superuser_creates_and_ends_logins(server_url: str) -> None:
    """As on a server whose superuser has created the database, and run the script."""
    name, tool = f"bi_owner_{os.getpid()}", f"bi_tool_{os.getpid()}"
    with (
        psycopg.connect(server_url, autocommit=True) as superuser,
        new_database(server_url, f"hyperpulse_owned_{os.getpid()}") as url,
    ):
        superuser.execute(f"CREATE ROLE {name} LOGIN CREATEROLE PASSWORD 'x'".encode())
        superuser.execute(f"ALTER DATABASE {f'hyperpulse_owned_{os.getpid()}'} OWNER TO {name}".encode())
        owned = make_conninfo(url, user=name, password="x")
        try:
            migrate(owned)
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute(SUPERUSER_SCRIPT.read_text(encoding="utf-8").encode())
            with psycopg.connect(owned, autocommit=True) as owner:
                owner.execute(
                    "INSERT INTO api.readings (tenant_id, user_id, ts, steps) VALUES ('one', 'ada', now(), 1)"
                )
                with connect(owned) as connection:
                    rest = create(connection, login(tool, MINE), PASSWORD)
                assert rest is not None
                assert "temp_file_limit" in rest
                owner.execute("UPDATE core.setting SET value = '0' WHERE name = 'bi_time_limit'")
                with psycopg.connect(make_conninfo(url, user=tool, password=PASSWORD)) as session:
                    assert session.execute("SELECT tenant_id FROM api.users").fetchall() == [(MINE,)]
                    owner.execute("CALL api.refresh()")
                    with pytest.raises(psycopg.OperationalError):
                        session.execute("SELECT 1")
                owner.execute(f"DROP OWNED BY {tool}; DROP ROLE {tool}".encode())
        finally:
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute(f"DROP ROLE IF EXISTS {tool}".encode())
                connection.execute(b"DROP SCHEMA IF EXISTS api, api_internal, core, rollup, migration CASCADE")
                connection.execute(
                    f"REASSIGN OWNED BY {name} TO postgres; DROP OWNED BY {name}; DROP ROLE {name}".encode()
                )
