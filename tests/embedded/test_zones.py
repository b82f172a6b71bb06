"""The rules of time zones: those of the installed tzdata, not the ones frozen in the database's package."""

from __future__ import annotations

from datetime import datetime
from importlib.resources import files

import psycopg
import pytest

from scripts.embedded import EmbeddedServer, server
from tests.embedded.conftest import Start

NOON = "timestamptz '2026-11-28 12:00Z'"


def names() -> list[str]:
    """Name every zone of the installed package."""
    return files("tzdata").joinpath("zones").read_text().split()


def test_vancouver_has_the_rules_of_today(shared_server: EmbeddedServer) -> None:
    """British Columbia stays on summer time from 2026 on."""
    pytest.importorskip("tzdata")
    with psycopg.connect(shared_server.url) as one:
        assert one.execute(f"SELECT {NOON} AT TIME ZONE 'America/Vancouver'".encode()).fetchone() == (
            datetime(2026, 11, 28, 5),
        )
        known = {name for (name,) in one.execute("SELECT name FROM pg_timezone_names").fetchall()}
    assert set(names()) - known <= {"Factory"}


def test_without_the_package_it_says_so(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "zone_files", lambda: None)
    running = start()
    with psycopg.connect(running.url) as one:
        assert one.execute(f"SELECT {NOON} AT TIME ZONE 'Europe/Berlin'".encode()).fetchone() == (
            datetime(2026, 11, 28, 13),
        )
    assert "install the PyPI package tzdata" in running.log
