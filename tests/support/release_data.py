r"""Rows of a database that a release filled: recorded from a real one, and laid into the release's schema again.

    python -m tests.support.release_data postgresql://… > tests/files/releases/0.2.0.tsv

writes every table of `core` and `rollup` as COPY does, each below a line `\copy TABLE (COLUMNS)`. What continuous
aggregates hold is left out: the release's own definitions compute it again.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg

HEAD = "\\copy "
TABLES = """
    SELECT format('%I.%I', n.nspname, c.relname),
           string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum)
      FROM pg_class AS c
      JOIN pg_namespace AS n ON n.oid = c.relnamespace
      JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
     WHERE n.nspname IN ('core', 'rollup') AND c.relkind = 'r'
     GROUP BY 1
     ORDER BY 1
"""
AGGREGATES = """
    SELECT format('%I.%I', view_schema, view_name) FROM timescaledb_information.continuous_aggregates
     ORDER BY view_name <> 'event_1m', view_name LIKE '%1d'
"""
# Above every key and version of the rows, so that none comes twice.
SEQUENCES = """
    SELECT setval(c.oid, 1000000) FROM pg_class AS c WHERE c.relkind = 'S' AND c.relnamespace = 'core'::regnamespace
"""


def record(db: psycopg.Connection[Any]) -> Iterator[str]:
    """Yield the lines of a recording."""
    for table, columns in db.execute(TABLES).fetchall():
        yield f"{HEAD}{table} ({columns})\n"
        with db.cursor().copy(f"COPY (SELECT {columns} FROM {table} ORDER BY {columns}) TO STDOUT".encode()) as rows:
            for row in rows:
                yield bytes(row).decode()


def lay(db: psycopg.Connection[Any], recording: Path, start: datetime, end: datetime) -> None:
    """Replace the rows of the release's schema by those of a recording, whose readings and events lie in a range."""
    with db.transaction():
        db.execute("SET LOCAL session_replication_role = replica")  # no order between tables
        for table, columns, rows in parts(recording.read_text(encoding="utf-8")):
            db.execute(f"DELETE FROM {table}".encode())
            with db.cursor().copy(f"COPY {table} ({columns}) FROM STDIN".encode()) as stream:
                stream.write(rows)
        db.execute(SEQUENCES)
    for (name,) in db.execute(AGGREGATES).fetchall():
        db.execute("CALL refresh_continuous_aggregate(%s, %s, %s)", [name, start, end])


def parts(text: str) -> Iterator[tuple[str, str, str]]:
    """Yield each table of a recording, its columns, and its rows as COPY reads them."""
    for part in text.removeprefix(HEAD).split(f"\n{HEAD}"):
        head, _, rows = part.partition("\n")
        table, _, columns = head.rstrip(")").partition(" (")
        yield table, columns, rows


if __name__ == "__main__":
    with psycopg.connect(sys.argv[1], options="-c timezone=UTC") as connection:
        sys.stdout.writelines(record(connection))
