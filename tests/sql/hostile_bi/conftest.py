"""A database of two tenants, on which a superuser has run the script, and a hostile login of one of them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, TypeAlias

import psycopg
import pytest

from scripts.roles import SUPERUSER_SCRIPT
from tests.support.bi import Logins, bi_logins, fill
from tests.support.database import prepared_database

Connection: TypeAlias = psycopg.Connection[Any]
UTC_SESSION = "-c timezone=UTC -c lock_timeout=2s"
KEPT = """
    INSERT INTO core.access_key (key_id, digest, tenant_key, scopes, name, requests_per_second)
      SELECT '0123456789ab', sha256('key'), t.tenant_key, '{admin}', 'gateway of two', 9
        FROM core.tenant AS t WHERE t.tenant_id = 'two';
    INSERT INTO core.key_allowance (key_id, requests_left, readings_left, bytes_left) VALUES ('0123456789ab', 1, 2, 3);
    INSERT INTO core.session (session_id, key_id, digest, expires_at)
      VALUES ('0123456789abcdef', '0123456789ab', sha256('session'), 'infinity');
    INSERT INTO core.ticket (key_id, digest, expires_at) VALUES ('0123456789ab', sha256('ticket'), 'infinity');
    INSERT INTO core.audit (act, key_id, tenant_id) VALUES ('create key', '0123456789ab', 'two');
"""


@pytest.fixture(scope="module")
def own_url(server_url: str) -> Iterator[str]:
    """A database of its own, on which a superuser has run the script."""
    with prepared_database(server_url, f"hyperpulse_hostile_{os.getpid()}") as url:
        yield url


@pytest.fixture(scope="module")
def owner(own_url: str) -> Iterator[Connection]:
    with psycopg.connect(own_url, autocommit=True, options=UTC_SESSION) as connection:
        fill(connection)
        connection.execute(KEPT)
        yield connection


@pytest.fixture(scope="module")
def logins(owner: Connection, own_url: str) -> Iterator[Logins]:
    with bi_logins(owner, own_url) as made:
        owner.execute(SUPERUSER_SCRIPT.read_text(encoding="utf-8").encode())
        yield made


@pytest.fixture
def hostile(logins: Logins) -> Iterator[Connection]:
    """A session of the tenant `one`, which takes back what a role can of its settings."""
    with psycopg.connect(logins.tenant, autocommit=True, options="-c timezone=UTC") as connection:
        connection.execute("SET default_transaction_read_only = off; SET statement_timeout = 0")
        connection.execute(
            "SET idle_in_transaction_session_timeout = 0; SET default_transaction_isolation = 'read committed'"
        )
        yield connection
