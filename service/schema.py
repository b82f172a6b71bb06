"""Which schema this release expects: its migrations, and the files of the schema `api`."""

from __future__ import annotations

import hashlib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MIGRATIONS = ROOT / "migrations"
SQL = ROOT / "sql"


def migration_names() -> list[str]:
    """List the migrations by name, in the order in which they apply."""
    return sorted(path.stem for path in MIGRATIONS.glob("*.sql") if not path.stem.endswith(".rollback"))


def api_statements() -> list[str]:
    """Return the text of each file of the schema `api`, in the order of sql/build.txt."""
    lines = (SQL / "build.txt").read_text(encoding="utf-8").splitlines()
    return [(SQL / line).read_text(encoding="utf-8") for line in lines if line and not line.startswith("#")]


def api_digest() -> str:
    """Return a digest that changes when any of those files does."""
    return hashlib.sha256("\0".join(api_statements()).encode()).hexdigest()


def query(name: str) -> bytes:
    """Return the statement of sql/queries/NAME.sql."""
    return (SQL / "queries" / f"{name}.sql").read_bytes()
