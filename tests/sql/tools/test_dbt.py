"""dbt: models over the views, in a schema of their own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tests.sql.tools.document import blocks
from tests.sql.tools.world import HOUR, NAME, World, floor


@pytest.fixture
def marts(world: World) -> Iterator[str]:
    """What dbt needs before its first run, under names of this run."""
    create = blocks("dbt", "sql")[0]
    assert create.count("dbt") == 4
    create = create.replace("DATABASE postgres", f"DATABASE {world.owner.info.dbname}")
    role, schema = f"{NAME}_dbt", f"{NAME}_marts"
    world.owner.execute(re.sub(r"\bdbt\b", role, create).replace("marts", schema).encode())
    yield role
    world.owner.execute(f"DROP SCHEMA {schema} CASCADE; DROP OWNED BY {role}; DROP ROLE {role}".encode())


def dbt(model: str, incremental: bool) -> str:
    """Expand a model as dbt does."""
    text = re.sub(r"\{\{ config\(.*?\) \}\}\n", "", model)
    text = re.sub(r"\{\{ source\('(\w+)', '(\w+)'\) \}\}", r'"\1"."\2"', text)
    pattern = r"\{% if is_incremental\(\) %\}(.*?)\{% else %\}(.*?)\{% endif %\}"
    return re.sub(pattern, r"\1" if incremental else r"\2", text, flags=re.DOTALL).strip()


def test_dbt_models(world: World, marts: str) -> None:
    schema = f"{NAME}_marts"
    url = make_conninfo(world.url, user=marts, password="...")
    hours, days = blocks("dbt", "sql")[1:]
    with psycopg.connect(url, options="-c timezone=UTC") as connection:
        for name, model in (("hours", hours), ("days", days)):
            connection.execute(f'CREATE TABLE {schema}."{name}__dbt_tmp" AS ({dbt(model, False)})'.encode())
            connection.execute(f'ALTER TABLE {schema}."{name}__dbt_tmp" RENAME TO "{name}"'.encode())
            connection.commit()
        connection.execute(f"CREATE TEMPORARY TABLE newer AS ({dbt(hours, True)})".encode())
        older = connection.execute(f"SELECT count(*), min(bucket) FROM {schema}.hours".encode()).fetchone()
        newer = connection.execute("SELECT count(*), min(bucket) FROM newer").fetchone()
    assert older is not None
    assert newer is not None
    assert older[0] > newer[0] >= 47
    assert newer[1] >= world.now - 48 * HOUR


def test_dbt_runs(world: World, marts: str, tmp_path: Path) -> None:
    pytest.importorskip("dbt.adapters.postgres", reason="dbt-postgres is not installed")
    pytest.importorskip("dbt.cli", reason="dbt-core is not installed")
    profiles, sources = blocks("dbt", "yaml")
    hours, days = blocks("dbt", "sql")[1:]
    parts = conninfo_to_dict(world.url)
    for documented, actual in {
        "host: 127.0.0.1": f"host: {parts['host']}",
        "port: 15432": f"port: {parts['port']}",
        "user: dbt": f"user: {marts}",
        "dbname: postgres": f"dbname: {parts['dbname']}",
        "schema: marts": f"schema: {NAME}_marts",
    }.items():
        assert documented in profiles
        profiles = profiles.replace(documented, actual)
    (tmp_path / "models").mkdir()
    (tmp_path / "profiles.yml").write_text(profiles)
    (tmp_path / "dbt_project.yml").write_text("name: hyperpulse\nversion: '1.0'\nprofile: hyperpulse\n")
    (tmp_path / "models" / "sources.yml").write_text(sources)
    (tmp_path / "models" / "heart_rate_by_hour.sql").write_text(hours)
    (tmp_path / "models" / "steps_by_day.sql").write_text(days)
    command = [sys.executable, "-c", "from dbt.cli.main import cli; cli()"]
    for verb in (["run"], ["run"], ["docs", "generate"]):
        done = subprocess.run(
            [*command, *verb, "--project-dir", ".", "--profiles-dir", ".", "--no-send-anonymous-usage-stats"],
            cwd=tmp_path,
            env={**os.environ, "DO_NOT_TRACK": "1"},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    found = world.owner.execute(f"SELECT count(*) FROM {NAME}_marts.heart_rate_by_hour WHERE user_id = 'ada'".encode())
    row = found.fetchone()
    assert row is not None
    mine = {floor(reading.ts, HOUR) for reading in world.readings if reading.user == "ada"}
    assert row[0] in {sum(hour + HOUR <= now for hour in mine) for now in world.moments()}
