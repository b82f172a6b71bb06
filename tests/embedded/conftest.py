"""One gateway for most tests; those that stop, kill or crash one start their own from a template directory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from scripts import embedded
from scripts.embedded import EmbeddedServer

TURN_TIMEOUT = 2.0
IDLE_TIMEOUT = 1.0
HOLD_TIMEOUT = 1.2

Connect = Callable[..., psycopg.Connection[tuple[Any, ...]]]
Start = Callable[..., EmbeddedServer]


@pytest.fixture(scope="session")
def pristine(created: Path) -> Path:
    """The directory of a database as it is after its creation."""
    return created / "pristine"


@pytest.fixture(scope="package")
def shared_server(pristine: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServer]:
    """The gateway that most tests share; it gives up waiting soon and runs no jobs."""
    with embedded.start(
        tmp_path_factory.mktemp("shared"),
        template=pristine,
        turn_timeout=TURN_TIMEOUT,
        idle_timeout=IDLE_TIMEOUT,
        stall_timeout=IDLE_TIMEOUT,
        hold_timeout=HOLD_TIMEOUT,
        jobs_interval=0,
    ) as server:
        yield server


@pytest.fixture
def connect(shared_server: EmbeddedServer) -> Iterator[Connect]:
    """Open autocommit connections to the shared gateway, closed after the test. The password of a role is its name."""
    opened: list[psycopg.Connection[tuple[Any, ...]]] = []

    def open_one(database: str = "postgres", **options: Any) -> psycopg.Connection[tuple[Any, ...]]:
        if "user" in options and options["user"] != "postgres":
            options.setdefault("password", options["user"])
        opened.append(psycopg.connect(shared_server.url_of(database), **{"autocommit": True, **options}))
        return opened[-1]

    yield open_one
    for connection in opened:
        connection.close()


@pytest.fixture
def table(connect: Connect) -> Iterator[str]:
    """A table of one integer primary key `k` and a text `v`, dropped after the test."""
    with connect() as connection:
        connection.execute("CREATE TABLE shelf (k int PRIMARY KEY, v text)")
    yield "shelf"
    with connect() as connection:
        connection.execute("DROP TABLE shelf")


@pytest.fixture
def start(pristine: Path, tmp_path: Path) -> Iterator[Start]:
    """Start gateways of the test's own on `tmp_path / "data"`, stopped after it."""
    started: list[EmbeddedServer] = []

    def start_one(data: Path = tmp_path / "data", **options: Any) -> EmbeddedServer:
        started.append(embedded.start(data, **{"template": pristine, "jobs_interval": 0, **options}))
        return started[-1]

    yield start_one
    for server in started:
        server.stop()
