"""Databases of benchmarks that run in the test's process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.support.database import prepared_database

WHO_CREATES = ("scripts.bench.database", "scripts.bench.ingest.environment", "scripts.bench.sustained.environment")


@pytest.fixture
def prepared_databases(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let databases of Hyperpulse be prepared already where that takes less time."""

    @contextmanager
    def native_database(server_url: str, name: str, keep: bool, reuse: bool) -> Iterator[str]:
        assert not keep
        assert not reuse
        with prepared_database(server_url, name) as url:
            yield url

    for module in WHO_CREATES:
        monkeypatch.setattr(f"{module}.native_database", native_database)
