"""No private catalog of TimescaleDB is read: they change between minor releases."""

from __future__ import annotations

import re

from tests.support.paths import ROOT

PRIVATE = re.compile(r"_timescaledb_(catalog|internal|functions|config|cache|debug)")
FIRST_MIGRATION = "0012"  # those before are released, and stay as they are
# The embedded database takes the place of TimescaleDB's job runner, which keeps its books there.
WITHOUT_JOB_RUNNER = ROOT / "scripts" / "embedded"


def test_no_private_catalog_is_read() -> None:
    places = [path for folder in ("sql", "service", "scripts") for path in (ROOT / folder).rglob("*") if path.is_file()]
    places += [path for path in (ROOT / "migrations").glob("*.sql") if path.name >= FIRST_MIGRATION]
    found = [
        str(path.relative_to(ROOT))
        for path in places
        if "__pycache__" not in path.parts
        and "node_modules" not in path.parts
        and WITHOUT_JOB_RUNNER not in path.parents
        and PRIVATE.search(path.read_bytes().decode("utf-8", "replace"))
    ]
    assert len(places) > 100
    assert found == []
