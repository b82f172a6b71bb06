"""The roles of docker/roles.sql: an owner that migrates and refreshes, and a service that only serves.

The superuser's script has run: they do with what it leaves them.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo
from websockets.sync.client import connect

from scripts.migrate import migrate
from tests.support.database import new_database
from tests.support.keys import bearer, sign_in
from tests.support.paths import ROOT
from tests.support.ports import free_port
from tests.support.processes import started
from tests.support.service_process import running_service
from tests.support.wire import event

pytestmark = [
    pytest.mark.native,
    pytest.mark.skipif(shutil.which("psql") is None, reason="needs psql"),
]
OWNER, WEB = f"owner_{os.getpid()}", f"web_{os.getpid()}"  # roles are shared by all databases of a server
LATE = datetime.now(UTC).replace(microsecond=0) - timedelta(days=2)
FILL = """
    INSERT INTO api.readings (tenant_id, user_id, device_id, ts, heart_rate, steps)
      SELECT 'clinic', 'old', 'watch', date_trunc('hour', now()) - n * INTERVAL '5 hours', 60, 10
        FROM generate_series(0, 200) AS n
"""


class Deployment(NamedTuple):
    """The addresses of a database for each role, and of a service in front of it."""

    superuser: str
    owner: str
    web: str
    url: str
    key: str
    """May do all; for all tenants."""


@pytest.fixture(scope="module", params=["a new database", "a database of a superuser"])
def deployed(
    request: pytest.FixtureRequest, server_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployment]:
    """What docker-compose.yml starts, without containers: roles, migration, refresher, service."""
    is_new = request.param == "a new database"
    secrets = tmp_path_factory.mktemp("secrets")
    for name in ("owner", "web"):
        (secrets / f"{name}_password").write_text(f"secret of {name}")
    with dropping_roles(server_url), new_database(server_url, f"hyperpulse_roles_{os.getpid()}") as superuser:
        if not is_new:
            migrate(superuser)
            with psycopg.connect(superuser, autocommit=True) as connection:
                connection.execute(FILL)
                connection.execute("CALL api.refresh()")
                connection.execute("CALL api.upkeep()")
        make_roles(superuser, secrets)
        owner, web = make_conninfo(superuser, user=OWNER), make_conninfo(superuser, user=WEB)
        with_password(owner, secrets / "owner_password", "scripts.migrate")
        scopes = [word for scope in ("ingest", "read", "admin", "operate") for word in ("--scope", scope)]
        key = with_password(owner, secrets / "owner_password", "scripts.keys", "create", *scopes).strip()
        run_superuser_script(superuser)
        with refresher(owner), running_service(web, HOST="0.0.0.0") as url:
            yield Deployment(superuser, owner, web, url, key)


def make_roles(database_url: str, secrets: Path) -> None:
    """Run docker/roles.sql twice: it may run again."""
    variables = {"owner": OWNER, "web": WEB, "secrets": str(secrets)}
    options = [word for name, value in variables.items() for word in ("--set", f"{name}={value}")]
    for _ in range(2):
        subprocess.run(
            ["psql", "--no-psqlrc", "--quiet", *options, "--file", str(ROOT / "docker/roles.sql"), database_url],
            check=True,
            timeout=60,
        )


def run_superuser_script(database_url: str) -> None:
    """Run it twice, as docs/bi.md says: it may run again."""
    script = subprocess.run(
        [sys.executable, "-m", "scripts.roles", "superuser-script"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        check=True,
        timeout=60,
    ).stdout
    command = ["psql", "--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1", database_url]
    for _ in range(2):
        subprocess.run(command, input=script, check=True, timeout=60)


@contextmanager
def dropping_roles(server_url: str) -> Iterator[None]:
    """Drop the roles in the end, when the database in which they own everything is gone."""
    try:
        yield
    finally:
        with psycopg.connect(server_url, autocommit=True) as connection:
            for name in (WEB, OWNER):
                connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(name)))


def with_password(database_url: str, secret: Path, *module: str) -> str:
    """Run a module as the image does; return what it prints."""
    done = subprocess.run(
        ["sh", "docker/with-password.sh", sys.executable, "-m", *module],
        cwd=ROOT,
        env={
            **os.environ,
            "DATABASE_URL": database_url,
            "PASSWORD_FILE": str(secret),
            "PGPASSFILE": str(secret.with_suffix(".pgpass")),
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def refresher(database_url: str) -> Any:
    """The process that refreshes, as the owner."""
    environment = {"DATABASE_URL": database_url, "PORT": str(free_port()), "REFRESH_SECONDS": "1", "POOL_SIZE": "2"}
    return started([sys.executable, "-m", "service"], **environment)


@pytest.fixture
def client(deployed: Deployment) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=deployed.url, headers=bearer(deployed.key), timeout=30) as client:
        yield client


def reading(user_id: str, at: datetime, **changes: Any) -> dict[str, Any]:
    return {"user_id": user_id, "device_id": "watch", "timestamp": at.isoformat(), "heart_rate": 70} | changes


def within(seconds: float, check: Any) -> None:
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.1)


def answer(response: httpx.Response, status: int = 200) -> Any:
    assert response.status_code == status, response.text
    return response.json() if response.headers["content-type"].startswith("application/json") else response.text


def test_the_service_stores_answers_and_erases(deployed: Deployment, client: httpx.Client) -> None:
    """Every kind of write and answer, through a role that owns nothing."""
    day = {"start": LATE.isoformat(), "end": (LATE + timedelta(hours=1)).isoformat()}
    assert answer(client.post("/v1/readings", json=[reading("ada", LATE), reading("bea", LATE)]))["inserted"] == 2
    assert answer(client.post("/v1/readings", json=reading("ada", LATE, heart_rate=80)))["updated"] == 1
    csv = f"user_id,device_id,timestamp,heart_rate\nada,strap,{LATE.isoformat()},90\n"
    assert answer(client.post("/v1/readings", content=csv, headers={"Content-Type": "text/csv"}))["inserted"] == 1
    answer(client.put("/v1/devices/strap", json={"priority": 1, "name": "Strap"}))
    answer(client.put("/v1/metrics/lactate", json={"unit": "mmol/L", "kind": "gauge", "lowest": 0, "highest": 30}))
    answer(client.post("/events", json=event()), 201)

    def fresh() -> bool:
        return bool(answer(client.get("/v1/system"))["freshness"]["stale_days"] == 0)

    within(30, fresh)
    assert answer(client.get("/v1/users/ada/summary", params=day))["heart_rate"]["avg"] == 90
    assert answer(client.get("/v1/users/ada/series", params=day | {"bucket": "15m"}))
    for path in (
        "/v1/users",
        "/v1/overview",
        "/v1/devices/strap",
        "/v1/metrics",
        "/v1/users/ada/latest",
        "/prometheus",
        "/ready",
    ):
        answer(client.get(path))
    assert answer(client.get("/v1/users/ada/readings", params=day))
    assert len(answer(client.get("/v1/users/ada/export")).splitlines()) == 3
    assert answer(client.delete("/v1/users/ada/readings", params=day | {"device_id": "strap"}))["deleted"] == 1
    answer(client.delete("/v1/users/ada"))
    assert client.get("/v1/users/ada/latest").status_code == 404
    within(30, fresh)
    with psycopg.connect(deployed.superuser) as connection:
        acts = connection.execute("SELECT act, role FROM core.audit ORDER BY entry").fetchall()
        assert connection.execute(
            "SELECT count(*) FROM api.verify(now() - INTERVAL '90 days', now()) AS v WHERE v.problem IS NOT NULL"
        ).fetchone() == (0,)
    assert [act for act, role in acts if role == WEB] == ["set device", "set metric", "delete readings", "erase user"]
    assert [act for act, role in acts if role == OWNER] == ["create key"]


def test_browsers_sign_in_and_sockets_open(deployed: Deployment, client: httpx.Client) -> None:
    page = sign_in(deployed.url, deployed.key)
    assert httpx.get(f"{deployed.url}/v1/users", headers=page).status_code == 200
    ticket = answer(client.post("/v1/tickets"), 201)["ticket"]
    with connect(f"{deployed.url.replace('http', 'ws')}/v1/live?ticket={ticket}") as live:
        assert live.recv(10)
        answer(client.post("/v1/readings", json=reading("cleo", datetime.now(UTC))))
        assert "cleo" in str(live.recv(10))
    assert httpx.delete(f"{deployed.url}/v1/session", headers=page).status_code == 200


def test_the_superusers_script_leaves_the_service_what_it_calls(deployed: Deployment) -> None:
    """Of what a role may call by default, that and no more."""
    with psycopg.connect(deployed.web) as connection:
        left = connection.execute("""
            SELECT p.proname FROM pg_proc AS p
             WHERE p.pronamespace IN ('public'::regnamespace, 'pg_catalog'::regnamespace)
               AND has_function_privilege(p.oid, 'EXECUTE')
               AND NOT EXISTS (SELECT FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) AS a
                                WHERE a.grantee = 0)
             ORDER BY 1
        """).fetchall()
    assert [name for (name,) in left] == [
        *("approximate_row_count", "hypertable_detailed_size", "hypertable_size", "pg_notify"),
    ]


def test_limits_of_keys_and_their_last_use_are_kept(deployed: Deployment) -> None:
    with psycopg.connect(deployed.superuser, autocommit=True) as connection:
        used = "SELECT last_used_at IS NOT NULL FROM core.access_key WHERE key_id = %s"
        within(10, lambda: connection.execute(used, [deployed.key.split("_")[1]]).fetchone() == (True,))
        connection.execute("UPDATE core.access_key SET requests_per_second = 1000")
        try:
            within(10, lambda: limited(deployed))
            kept = "SELECT count(*) FROM core.key_allowance"
            within(10, lambda: connection.execute(kept).fetchone() == (1,))
        finally:
            connection.execute("UPDATE core.access_key SET requests_per_second = NULL")


def limited(deployed: Deployment) -> bool:
    return "ratelimit" in httpx.get(f"{deployed.url}/v1/users", headers=bearer(deployed.key)).headers


@pytest.mark.parametrize(
    "statement",
    [
        # Its own rights.
        "INSERT INTO core.access_key (key_id, digest, scopes) VALUES ('0123456789ab', '', '{operate}')",
        "UPDATE core.access_key SET scopes = '{operate}'",
        "UPDATE core.access_key SET revoked_at = NULL",
        "UPDATE core.setting SET value = '1 day' WHERE name = 'raw_retention'",
        "UPDATE core.metric SET kind = 'sum'",
        "INSERT INTO core.metric_unit VALUES (1, 0, 1, 60, 'Hz', 'Hz')",
        # The traces of what it did.
        "SELECT FROM core.audit",
        "DELETE FROM core.audit",
        "UPDATE core.audit SET role = 'another'",
        # What is exact because only a refresh changes it.
        "UPDATE core.horizon SET materialized = announced",
        "INSERT INTO rollup.user_1h SELECT * FROM rollup.user_1h",
        "UPDATE rollup.user_1h SET steps = 0",
        "CALL api.refresh()",
        "CALL api.upkeep()",
        "SELECT api_internal.drop_raw(now() - INTERVAL '9 years', now())",
        "CALL api_internal.drop_samples(now() - INTERVAL '9 years', now())",
        "SELECT api_internal.keep_values(0, 100, now() - INTERVAL '9 years', now())",
        # All at once, and the tables themselves.
        "TRUNCATE core.reading",
        "DROP TABLE core.reading",
        "ALTER TABLE core.reading DISABLE TRIGGER ALL",
        "SELECT public.drop_chunks('core.reading', now())",
        "SELECT public.add_job('api.refresh', INTERVAL '1 s')",
        "SELECT pg_advisory_lock(1)",
        "SELECT lo_create(0)",
        "DO 'BEGIN END'",
        "DELETE FROM core.event",
        "DELETE FROM core.tenant",
        "CREATE TABLE public.mine ()",
        "CREATE TABLE core.mine ()",
        "CREATE SCHEMA mine",
        "CREATE FUNCTION public.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "INSERT INTO migration.api_build VALUES ('')",
        # The server and its other roles.
        "CREATE ROLE mine",
        "SET ROLE the_owner",
        "GRANT the_owner TO the_service",
        "CREATE DATABASE mine",
        "SELECT pg_read_file('PG_VERSION')",
        "COPY (SELECT 1) TO PROGRAM 'true'",
        "COPY (SELECT 1) TO '/tmp/mine'",
        "ALTER SYSTEM SET log_statement = 'none'",
        "SELECT FROM pg_authid",
    ],
)
def test_the_service_may_not(deployed: Deployment, statement: str) -> None:
    # Names of tests are the same in all processes, names of roles are not.
    named = statement.replace("the_owner", OWNER).replace("the_service", WEB)
    connecting = psycopg.connect(deployed.web, autocommit=True)
    with connecting as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(named.encode())


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT pg_read_file('PG_VERSION')",
        "COPY (SELECT 1) TO PROGRAM 'true'",
        "ALTER SYSTEM SET log_statement = 'none'",
        "CREATE ROLE mine SUPERUSER",
        "GRANT pg_read_server_files TO CURRENT_USER",
        "CREATE DATABASE mine",
        "SET ROLE postgres",
        "SELECT FROM pg_authid",
    ],
)
def test_the_owner_is_no_superuser(deployed: Deployment, statement: str) -> None:
    connecting = psycopg.connect(deployed.owner, autocommit=True)
    with connecting as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement.encode())


def test_all_is_the_owners_and_nothing_the_services(deployed: Deployment) -> None:
    """Jobs too, since a job runs as its owner."""
    with psycopg.connect(deployed.superuser) as connection:
        owners = connection.execute("""
            WITH own AS (
              SELECT oid, nspowner FROM pg_namespace
               WHERE nspname IN ('core', 'rollup', 'migration', 'api', 'api_internal')
            )
            SELECT nspowner::regrole::text FROM own
            UNION
            SELECT relowner::regrole::text FROM pg_class
             WHERE relnamespace IN (SELECT oid FROM own)
                OR relname ~ '^(_hyper|_materialized|_partial|_direct|compress_hyper)'
            UNION
            SELECT proowner::regrole::text FROM pg_proc WHERE pronamespace IN (SELECT oid FROM own)
            UNION
            SELECT j.owner::text FROM timescaledb_information.jobs AS j WHERE j.proc_schema = 'core'
        """).fetchall()
        jobs = connection.execute(
            "SELECT proc_name, schedule_interval, scheduled, regexp_replace(application_name, ' .\\d+.$', '')"
            "  FROM timescaledb_information.jobs WHERE proc_schema = 'core' ORDER BY 1"
        ).fetchall()
        roles = connection.execute(
            "SELECT rolname, rolsuper, rolcreatedb, rolreplication, rolbypassrls, rolcreaterole, left(rolpassword, 13)"
            "  FROM pg_authid WHERE rolname IN (%s, %s) ORDER BY 1",
            [OWNER, WEB],
        ).fetchall()
    assert owners == [(OWNER,)]
    assert jobs == [
        ("run_refresh", timedelta(minutes=1), True, "hyperpulse refresh"),
        ("run_upkeep", timedelta(hours=1), True, "hyperpulse upkeep"),
    ]
    assert roles == [
        (OWNER, False, False, False, False, True, "SCRAM-SHA-256"),
        (WEB, False, False, False, False, False, "SCRAM-SHA-256"),
    ]


def test_a_role_that_does_not_own_the_database_cannot_migrate(deployed: Deployment) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "scripts.migrate", "--database-url", deployed.web],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "may not migrate the database" in done.stderr
    assert "Traceback" not in done.stderr


def test_rights_are_as_the_file_says_after_every_build(deployed: Deployment) -> None:
    """Also where the role was given more by hand, or less."""
    rights = (
        "SELECT c.oid::regclass::text, c.relacl::text FROM pg_class AS c"
        " WHERE c.relnamespace = 'core'::regnamespace ORDER BY 1"
    )
    with psycopg.connect(deployed.owner, autocommit=True) as connection:
        before = connection.execute(rights.encode()).fetchall()
        connection.execute("GRANT UPDATE ON core.setting TO hyperpulse_service")
        connection.execute("REVOKE INSERT ON core.reading FROM hyperpulse_service")
        connection.execute("DELETE FROM migration.api_build")
        migrate(deployed.owner)
        after = connection.execute(rights.encode()).fetchall()
    assert [(name, sorted(acl.strip("{}").split(","))) for name, acl in after if acl] == [
        (name, sorted(acl.strip("{}").split(","))) for name, acl in before if acl
    ]
