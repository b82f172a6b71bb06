"""pandas and polars: the recipes, each in a process of its own."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import timedelta

import pytest

from tests.sql.tools.connections import address, engine
from tests.sql.tools.document import blocks
from tests.sql.tools.world import BERLIN, World


def run_python(world: World, code: str, shown: str) -> str:
    """Run a recipe against this database in a process of its own, and return what an expression comes to."""
    moved = re.sub(r"postgresql(\+psycopg)?://\S+?/postgres", lambda m: address(world, f"postgresql{m[1] or ''}"), code)
    assert moved != code
    done = subprocess.run(
        [sys.executable, "-c", f"{moved}\nprint({shown})"], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_pandas(world: World) -> None:
    pytest.importorskip("pandas", reason="pandas is not installed")
    pytest.importorskip("sqlalchemy", reason="SQLAlchemy is not installed")
    shown = (
        "len(heart_rate), steps[steps.user_id == 'ada'].steps.sum(), "
        "heart_rate.index.tz, local.index.tz, silent.user_id.tolist(), population.users.max()"
    )
    said = run_python(world, blocks("pandas and polars", "python")[0], shown).split(" ", 2)
    weeks = []
    for now in world.moments():
        today = now.astimezone(BERLIN).date()
        weeks.append(sum(n for day, n in world.steps("ada").items() if today - timedelta(days=7) <= day < today))
    assert int(said[0]) in world.hours()
    assert int(said[1]) in weeks
    assert said[2] == "UTC Europe/Berlin ['bob'] 2"


def test_polars(world: World) -> None:
    pytest.importorskip("polars", reason="polars is not installed")
    pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    pytest.importorskip("adbc_driver_postgresql", reason="adbc-driver-postgresql is not installed")
    zone = """pl.read_database_uri("SELECT current_setting('timezone')", URI, engine="adbc").item()"""
    shown = f"heart_rate.height, steps['user_id'].n_unique(), {zone}, heart_rate.schema['bucket']"
    height, *rest = run_python(world, blocks("pandas and polars", "python")[1], shown).split(" ", 3)
    assert int(height) in world.hours()
    assert rest == ["2", "UTC", "Datetime(time_unit='us', time_zone='UTC')"]


def test_polars_takes_an_engine(world: World) -> None:
    polars = pytest.importorskip("polars", reason="polars is not installed")
    sqlalchemy = pytest.importorskip("sqlalchemy", reason="SQLAlchemy is not installed")
    found = polars.read_database("SELECT user_id FROM api.users ORDER BY 1", engine(sqlalchemy, world))
    assert found["user_id"].to_list() == ["ada", "bob"]
