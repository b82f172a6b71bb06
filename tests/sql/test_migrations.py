"""Migrations: applied once, twice, back and forth, by two at once, and never changed after a release."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from scripts.migrate import CannotMigrate, Migrated, explained, main, migrate, roll_back, update_advice
from scripts.reference import TARGET, reference
from service.database.schema import MIGRATIONS, migration_names
from tests.support.database import new_database
from tests.support.paths import ROOT

RELEASED = MIGRATIONS / "released.json"


@pytest.fixture(scope="module")
def fresh_url(server_url: str) -> Iterator[str]:
    """A database of its own, not migrated yet."""
    with new_database(server_url, f"hyperpulse_migrations_{os.getpid()}") as url:
        yield url


@pytest.fixture
def empty_url(fresh_url: str) -> str:
    """The same database with nothing of ours in it."""
    with psycopg.connect(fresh_url, autocommit=True) as connection:
        for schema in ("api", "api_internal", "rollup", "core", "migration"):
            connection.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE".encode())
    return fresh_url


def test_the_second_run_changes_nothing(empty_url: str) -> None:
    first = migrate(empty_url)
    assert list(first.applied) == migration_names()
    assert first.api_rebuilt
    second = migrate(empty_url)
    assert second.applied == ()
    assert not second.api_rebuilt


def test_two_at_once_do_it_once(empty_url: str) -> None:
    with ThreadPoolExecutor(2) as both:
        done = list(both.map(migrate, [empty_url, empty_url]))
    assert sorted(len(run.applied) for run in done) == [0, len(migration_names())]


def test_back_and_forth_gives_the_same_schema(empty_url: str) -> None:
    migrate(empty_url)
    before = reference(empty_url)
    with psycopg.connect(empty_url, autocommit=True) as connection, connection.transaction():
        assert list(roll_back(connection)) == migration_names()[::-1]
        row = connection.execute(
            "SELECT count(*) FROM pg_namespace WHERE nspname IN ('core', 'rollup', 'api', 'api_internal')"
        )
        assert row.fetchone() == (0,)
    migrate(empty_url)
    assert reference(empty_url) == before


def test_a_failure_leaves_nothing_behind(empty_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scripts.migrate.api_statements", lambda: ["CREATE SCHEMA api", "SELECT nonsense"])
    with pytest.raises(psycopg.errors.UndefinedColumn):
        migrate(empty_url)
    with psycopg.connect(empty_url) as connection:
        assert connection.execute("SELECT to_regnamespace('core'), to_regnamespace('api')").fetchone() == (None, None)


def test_the_api_is_rebuilt_when_one_of_its_files_changes(empty_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    migrate(empty_url)
    monkeypatch.setattr("scripts.migrate.api_digest", lambda: "another release")
    assert migrate(empty_url).api_rebuilt
    assert not migrate(empty_url).api_rebuilt


def test_the_committed_reference_is_the_schema(database_url: str) -> None:
    assert TARGET.read_text(encoding="utf-8") == reference(database_url), "run python -m scripts.reference"


def test_everything_public_says_what_it_promises(db: psycopg.Connection) -> None:
    silent = db.execute("""
        SELECT p.proname FROM pg_proc p
         WHERE p.pronamespace IN ('api'::regnamespace, 'api_internal'::regnamespace) AND obj_description(p.oid) IS NULL
        UNION ALL
        SELECT c.relname FROM pg_class c
         WHERE c.relnamespace IN ('api'::regnamespace, 'api_internal'::regnamespace, 'core'::regnamespace)
           AND c.relkind IN ('v', 'r') AND obj_description(c.oid) IS NULL
    """).fetchall()
    assert silent == []


def test_every_column_of_a_view_says_what_it_holds(db: psycopg.Connection) -> None:
    silent = db.execute("""
        SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
         WHERE c.relnamespace = 'api'::regnamespace AND c.relkind = 'v' AND col_description(c.oid, a.attnum) IS NULL
    """).fetchall()
    assert silent == []


def test_released_migrations_never_change() -> None:
    """Yoyo knows a migration by its name only, so a changed one would pass unnoticed."""
    released = json.loads(RELEASED.read_text(encoding="utf-8"))
    assert {name: digest(MIGRATIONS / f"{name}.sql") for name in migration_names()} == released


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_an_address_that_does_not_answer_is_one_sentence() -> None:
    with pytest.raises(CannotMigrate, match="cannot be reached") as caught:
        migrate("postgresql://someone:secret@127.0.0.1:1/nothing")
    assert "secret" not in str(caught.value)


def test_the_command_says_what_it_did(empty_url: str) -> None:
    command = [sys.executable, "-m", "scripts.migrate", "--database-url", empty_url]
    first = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert first.stdout.splitlines() == [*(f"applied {name}" for name in migration_names()), "api rebuilt"]
    second = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert second.stdout == "api unchanged\n"


def test_the_command_migrates_every_database_of_the_environment(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    migrated: list[str] = []

    def note(url: str) -> Migrated:
        migrated.append(url)
        return Migrated((), False)

    monkeypatch.setattr("scripts.migrate.migrate", note)
    monkeypatch.setenv("DATABASE_URL", "postgresql://home/x")
    monkeypatch.setenv("SHARD_DATABASE_URLS", "eu=postgresql://eu/x us=postgresql://us/x")
    for arguments, expected in (
        ([], ["postgresql://home/x", "postgresql://eu/x", "postgresql://us/x"]),
        (["--database-url", "postgresql://other/x"], ["postgresql://other/x"]),
    ):
        monkeypatch.setattr("sys.argv", ["migrate", *arguments])
        assert main() == 0
        assert migrated == expected
        migrated.clear()
    assert capsys.readouterr().out.startswith("api unchanged\neu:\napi unchanged\nus:\n")


@pytest.mark.parametrize(
    ("in_database", "installed", "older"),
    [
        ("2.24.0", "2.29.2", True),
        ("2.9.3", "2.18.0", True),
        ("2.29.2", "2.29.2", False),
        ("2.29.2", "2.24.0", False),
        ("2.23.0-dev", "2.23.0", False),
    ],
)
def test_an_extension_older_than_what_is_installed_is_named(in_database: str, installed: str, older: bool) -> None:
    advice = update_advice(in_database, installed)
    if older:
        assert advice is not None
        assert all(part in advice for part in (in_database, installed, "psql -X", "ALTER EXTENSION timescaledb UPDATE"))
    else:
        assert advice is None


def test_the_command_warns_of_an_older_extension(
    empty_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("scripts.migrate.update_advice", lambda in_database, installed: f"{in_database} is older")
    monkeypatch.setattr("sys.argv", ["migrate", "--database-url", empty_url])
    assert main() == 0
    said = capsys.readouterr()
    assert said.out.splitlines()[-1] == "api rebuilt"
    assert said.err.endswith(" is older\n")


def test_a_version_that_is_not_installed_any_more_is_said_with_its_remedy() -> None:
    remedy = r"timescaledb-2\.18\.0.*ALTER EXTENSION timescaledb UPDATE"
    with pytest.raises(CannotMigrate, match=remedy), explained():
        raise psycopg.errors.UndefinedFile('could not access file "$libdir/timescaledb-2.18.0": No such file')
