"""What every test stands on: one real TimescaleDB, migrated once and emptied between tests, and one real service.

The database is the one that TEST_DATABASE_URL names, or a native TimescaleDB of this machine, started by
pytest-postgresql, or the embedded one. The service is a process of its own behind a socket.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from pytest_postgresql import factories

from scripts import embedded
from tests.support.database import PREPARED, empty, new_database, prepare
from tests.support.embedded_data import copy_data
from tests.support.examples import register_profiles
from tests.support.parallel import alone, common, made_once, unit_of, urgency
from tests.support.service_process import running_service

register_profiles()

PUT_BACK = """
    WITH settings AS (
      UPDATE core.setting AS s
         SET value = kept.value
        FROM unnest(%s::text[], %s::text[]) AS kept (name, value)
       WHERE s.name = kept.name AND s.value IS DISTINCT FROM kept.value
    )
    DELETE FROM core.access_key
"""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Hand whole files, and some folders, to the processes of a run with `-n`."""
    from xdist.scheduler import LoadFileScheduling

    class ByUnit(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return unit_of(nodeid)

    config.option.loadscopereorder = False
    return ByUnit(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest."""
    items.sort(key=lambda item: urgency(item.nodeid))


def pg_config(what: str) -> Path:
    """Ask this machine's PostgreSQL where something is; without one, the path does not exist."""
    program = shutil.which("pg_config")
    if program is None:
        return Path("/no-postgresql")
    return Path(subprocess.run([program, what], capture_output=True, text=True, check=True).stdout.strip())


def native_timescaledb() -> bool:
    """Tell whether this machine's PostgreSQL has TimescaleDB with its Community module, and may be started here."""
    # PostgreSQL refuses to run as root.
    return os.geteuid() != 0 and any(pg_config("--pkglibdir").glob("timescaledb-tsl-*.so"))


@pytest.fixture(scope="session", autouse=True)
def bytecode(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the bytecode of processes that tests start where this one writes none: each would compile the service."""
    with pytest.MonkeyPatch.context() as patch:
        if sys.dont_write_bytecode:
            patch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
            patch.setenv("PYTHONPYCACHEPREFIX", str(common(tmp_path_factory) / "bytecode"))
        yield


@cache
def is_embedded_here() -> bool:
    """Tell whether tests are given the embedded database, without starting one."""
    if named := os.environ.get("TEST_DATABASE_URL"):
        with psycopg.connect(named, autocommit=True) as connection:
            row = connection.execute("SELECT current_setting('hyperpulse.embedded', true)").fetchone()
        return row == ("on",)
    return not native_timescaledb()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip tests marked native where the database is the embedded one, before any fixture of theirs begins."""
    if item.get_closest_marker("native") and is_embedded_here():
        pytest.skip("needs a native TimescaleDB: set TEST_DATABASE_URL")


native_server = factories.postgresql_proc(
    executable=str(pg_config("--bindir") / "pg_ctl"),
    postgres_options="-c shared_preload_libraries=timescaledb -c timescaledb.telemetry_level=off",
)


@pytest.fixture(scope="session")
def server_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A running TimescaleDB server: the address of its database postgres."""
    if named := os.environ.get("TEST_DATABASE_URL"):
        yield named
    elif native_timescaledb():
        running = request.getfixturevalue("native_server")
        yield make_conninfo(host=running.host, port=running.port, user=running.user, dbname="postgres")
    else:
        data = tmp_path_factory.mktemp("embedded")
        copy_data(request.getfixturevalue("migrated"), data)
        with embedded.start(data) as running:
            yield running.url


@pytest.fixture(scope="session")
def created(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data directory of an embedded database as it is after its creation, to be copied."""

    def create(data: Path) -> None:
        embedded.install()
        with embedded.start(data, jobs_interval=0):
            pass

    return made_once(tmp_path_factory, "created", create)


@pytest.fixture(scope="session")
def migrated(created: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, prepared for tests, with a copy of the database to make others of."""

    def create(data: Path) -> None:
        # The gateway makes the database from it, of fewer files than the one in `created` has.
        shutil.copytree(created / "pristine", data / "pristine", copy_function=os.link)
        with embedded.start(data, jobs_interval=0) as running:
            prepare(running.url)
        shutil.copytree(data / "databases" / "postgres", data / "databases" / PREPARED)

    return made_once(tmp_path_factory, "migrated", create)


@pytest.fixture(scope="session")
def is_embedded() -> bool:
    """Whether the server is the embedded one: one backend, no background workers."""
    return is_embedded_here()


@pytest.fixture(scope="session")
def database_url(server_url: str, is_embedded: bool, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A migrated database that the whole session shares."""
    if is_embedded and "TEST_DATABASE_URL" not in os.environ:
        yield server_url
    else:
        with new_database(server_url, f"hyperpulse_test_{os.getpid()}") as url:
            # Migrations create a role, which all databases of a server share.
            with alone(tmp_path_factory, "migrate"):
                prepare(url)
            yield url


@pytest.fixture(scope="session")
def at_hand(database_url: str) -> Iterator[Callable[[], psycopg.Connection]]:
    """Returns a connection that stays open between tests, and is another one where a test has ended it."""
    with ExitStack() as stack:

        def opened() -> psycopg.Connection:
            connection = psycopg.connect(database_url, autocommit=True, options="-c timezone=UTC")
            return stack.enter_context(closing(connection))

        connection = opened()

        def usable() -> psycopg.Connection:
            nonlocal connection
            try:
                connection.execute("SELECT")
            except psycopg.OperationalError:
                connection = opened()
            return connection

        yield usable


@pytest.fixture
def emptied(at_hand: Callable[[], psycopg.Connection]) -> Iterator[None]:
    """The database is empty at first.

    Settings are put back and keys deleted: a service that has seen a key asks for one ever after.
    """
    keeper = at_hand()
    empty(keeper)
    kept = keeper.execute("SELECT array_agg(name), array_agg(value) FROM core.setting").fetchone()
    yield
    at_hand().execute(PUT_BACK, kept)


@pytest.fixture
def db(database_url: str, emptied: None) -> Iterator[psycopg.Connection]:
    """A connection to the database, which is empty at first; each statement commits."""
    with psycopg.connect(database_url, autocommit=True, options="-c timezone=UTC") as connection:
        yield connection


@pytest.fixture(scope="session")
def base_url(database_url: str) -> Iterator[str]:
    """The address of a service that the whole session shares."""
    with running_service(database_url) as url:
        yield url


@pytest.fixture(scope="session")
def visitor(base_url: str) -> Iterator[httpx.Client]:
    """A client for tests that do not mind what is stored: nothing is emptied for them."""
    # The service closes a connection that is idle for 5 s, so one that nearly was must not be used again.
    with httpx.Client(base_url=base_url, timeout=30, limits=httpx.Limits(keepalive_expiry=2)) as client:
        yield client


@pytest.fixture
def client(visitor: httpx.Client, emptied: None) -> httpx.Client:
    """The same client on an empty database; making one for each test would take longer than the test."""
    return visitor
