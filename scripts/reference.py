"""Write docs/sql.md, the reference of the schema, from the comments in the database."""

from __future__ import annotations

import argparse
import os
import sys
from itertools import groupby
from operator import itemgetter
from pathlib import Path

import psycopg
from psycopg.rows import dict_row

from service.database.schema import query

TARGET = Path(__file__).resolve().parent.parent / "docs" / "sql.md"
INTRODUCTION = """# SQL reference

Generated from the comments in the database by `python -m scripts.reference`; a test compares it with a fresh database.
Read and call what is in the schema `api`. `api_internal`, which it is built from, may change with any release; its
files say what each object does. The tables of `core` are private: they are listed so that what a release changes is
seen.
"""
HEADINGS = {"view": "Views", "function": "Functions", "table": "Tables, private"}


def reference(database_url: str) -> str:
    """Return the reference as Markdown."""
    with psycopg.connect(database_url, row_factory=dict_row) as connection:
        rows = connection.execute(query("schema_reference")).fetchall()
    pages = [INTRODUCTION]
    for kind, described in groupby(rows, itemgetter("kind")):
        pages.append(f"## {HEADINGS[kind]}\n")
        pages += [f"### {row['name']}\n\n{row['comment']}\n\n```\n{row['definition']}\n```\n" for row in described]
    return "\n".join(pages)


def main() -> int:
    """Write the file from the database of DATABASE_URL."""
    parser = argparse.ArgumentParser(prog="reference", description=__doc__)
    parser.add_argument("--database-url", default=os.environ.get("DATABASE_URL"), help="a migrated database")
    options = parser.parse_args()
    if not options.database_url:
        parser.error("name a migrated database with --database-url or DATABASE_URL")
    TARGET.write_text(reference(options.database_url), encoding="utf-8")
    print(f"wrote {TARGET.relative_to(Path.cwd())}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
