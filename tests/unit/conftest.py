"""Unit tests: one module of the service by itself, without a database, a browser or a process of the service."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="session")
def server_url() -> str:
    """Refuse a database, on which the process of the service depends as well."""
    pytest.fail("a unit test asks for a database; tests that need one belong to tests/sql or tests/http")
