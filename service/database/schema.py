"""Which schema this release expects: its migrations, and the files of `api` and `api_internal`."""

from __future__ import annotations

import hashlib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MIGRATIONS = ROOT / "migrations"
SQL = ROOT / "sql"


def migration_names() -> list[str]:
    """List the migrations by name, in the order in which they apply."""
    return sorted(path.stem for path in MIGRATIONS.glob("*.sql") if not path.stem.endswith(".rollback"))


def build_order() -> list[str]:
    """List the files of the schemas `api` and `api_internal` below sql/, in the order in which they are built."""
    lines = (SQL / "build.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def api_statements() -> list[str]:
    """Return the text of each of those files, in that order."""
    return [(SQL / line).read_text(encoding="utf-8") for line in build_order()]


def api_digest() -> str:
    """Return a digest that changes when any of those files does."""
    return hashlib.sha256("\0".join(api_statements()).encode()).hexdigest()


def query(name: str) -> bytes:
    """Return the statement of sql/queries/NAME.sql."""
    return (SQL / "queries" / f"{name}.sql").read_bytes()
