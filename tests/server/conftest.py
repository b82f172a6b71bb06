"""Tests of the HTTP server over a real socket: an application in the test's process, without a database."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="session")
def server_url() -> str:
    """Refuse a database, on which the process of the service depends as well."""
    pytest.fail("a test of the HTTP server asks for a database; tests that need one belong to tests/http")
