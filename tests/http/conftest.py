"""Two databases behind one service, for tests of shards; other modules have services of their own under that name."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import psycopg
import pytest

from tests.support.service_process import running_service
from tests.support.shards import emptied, second_database


@pytest.fixture(scope="module")
def lake_url(server_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A second database."""
    with second_database(server_url, tmp_path_factory) as url:
        yield url


@pytest.fixture(scope="module")
def service(database_url: str, lake_url: str) -> Iterator[httpx.Client]:
    """A client of a service on both, that asks everybody for a key."""
    with (
        running_service(database_url, AUTH="keys", SHARD_DATABASE_URLS=f"lake={lake_url}") as url,
        # The service closes a connection that is idle for 5 s, so one that nearly was must not be used again.
        httpx.Client(base_url=url, timeout=30, limits=httpx.Limits(keepalive_expiry=2)) as client,
    ):
        yield client


@pytest.fixture
def lake(lake_url: str) -> Iterator[psycopg.Connection]:
    """A connection to the second database, which is empty at first."""
    with emptied(lake_url) as connection:
        yield connection
