"""DuckDB: views that it attaches, and the COPY in which it reads them."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from tests.sql.tools.document import blocks
from tests.sql.tools.world import NAME, World


def test_duckdb_copies_views(world: World) -> None:
    """Its transactions, and the binary COPY in which it reads a view, in one simple query each."""
    with psycopg.connect(world.url, autocommit=True) as connection:
        connection.execute("BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY;\nSELECT pg_is_in_recovery()")
        reading = """
            COPY (SELECT "bucket", "heart_rate_avg" FROM "api"."vitals_1h"
                   WHERE "user_id" = 'ada' COLLATE "C" AND "bucket" >= '2025-01-15 00:00:00+00')
              TO STDOUT (FORMAT "binary");
        """
        with connection.cursor().copy(reading) as copy:
            copy.set_types(["timestamptz", "float8"])
            rows = list(copy.rows())
        connection.execute("COMMIT")
    assert len(rows) > 200
    assert all(isinstance(bucket, datetime) for bucket, _ in rows)


def test_duckdb(world: World, tmp_path: Path) -> None:
    duckdb = pytest.importorskip("duckdb", reason="duckdb is not installed")
    package = pytest.importorskip(
        "duckdb_extension_postgres_scanner", reason="duckdb-extension-postgres-scanner is not installed"
    )
    (extension,) = (Path(package.__file__).parent / "extensions").rglob("*.duckdb_extension")
    attach, heart_rate, others = blocks("DuckDB", "sql")
    parts = conninfo_to_dict(world.url)
    reached = f"host={parts['host']} port={parts['port']} dbname={parts['dbname']} user={NAME} password=tool"
    attach = attach.replace("host=127.0.0.1 port=15432 dbname=postgres user=analyst", reached)
    assert reached in attach
    with duckdb.connect() as connection:
        # In place of a download.
        assert attach.startswith("INSTALL postgres;\nLOAD postgres;\n")
        connection.execute(f"LOAD '{extension}';\n" + attach.split("\n", 2)[2])
        assert len(connection.execute(heart_rate).fetchall()) in world.hours()
        days, silent, copied = re.split(r";\s*\n", others.strip().removesuffix(";"))
        assert {user for _, user, _ in connection.execute(days).fetchall()} == {"ada", "bob"}
        assert [user for user, _ in connection.execute(silent).fetchall()] == ["bob"]
        file = tmp_path / "population.parquet"
        connection.execute(copied.replace("population.parquet", str(file)))
        assert connection.execute(f"SELECT max(users) FROM '{file}'").fetchall() == [(2,)]
