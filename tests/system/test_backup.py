"""`make backup` and `make restore`: portable backups, the embedded database's files, and what a recovery is made of."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from scripts import embedded
from scripts.backup import base, programs
from scripts.backup.dump import back_up
from scripts.backup.errors import CannotBackUp
from scripts.backup.manifest import DATABASE, MANIFEST, read
from scripts.backup.restore import creation
from scripts.migrate import migrate
from tests.support.database import PREPARED, new_database, prepare
from tests.support.paths import ROOT
from tests.support.service_process import running_service

FILL = """
    INSERT INTO api.readings (tenant_id, user_id, device_id, ts, heart_rate, steps)
      SELECT 'clinic', 'user ' || u, 'watch', date_trunc('hour', now()) - n * INTERVAL '5 hours', 60 + u, n
        FROM generate_series(0, 100) AS n, generate_series(1, 5) AS u
"""
LOGIN = f"backup_bi_{os.getpid()}"


def backup(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command of scripts.backup."""
    return subprocess.run(
        [sys.executable, "-m", "scripts.backup", *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(scope="module")
def source(server_url: str) -> Iterator[str]:
    """A migrated database with readings, rollups, a compressed chunk and a BI login."""
    with psycopg.connect(server_url) as connection:
        try:
            programs.find("pg_dump", connection.info.server_version // 10000)
        except CannotBackUp as error:
            pytest.skip(str(error))
    with new_database(server_url, f"hyperpulse_backup_{os.getpid()}") as url:
        prepare(url)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(FILL)
            connection.execute("CALL api.refresh()")
            connection.execute("SELECT compress_chunk(c) FROM show_chunks('core.reading') AS c LIMIT 3")
        made = [sys.executable, "-m", "scripts.roles", "create", LOGIN, "--tenant", "clinic"]
        subprocess.run(made, cwd=ROOT, env={**os.environ, "DATABASE_URL": url}, check=True, capture_output=True)
        try:
            yield url
        finally:
            with psycopg.connect(url, autocommit=True) as connection:
                drop_login(connection)


def drop_login(connection: psycopg.Connection) -> None:
    connection.execute("DELETE FROM core.bi_login")
    connection.execute(sql.SQL("DROP OWNED BY {0}; DROP ROLE {0}").format(sql.Identifier(LOGIN)))


@pytest.fixture(scope="module")
def made(source: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A portable backup."""
    folder = tmp_path_factory.mktemp("backups") / "one"
    done = backup("dump", "--to", folder, DATABASE_URL=source)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{folder}: ")
    return folder


@pytest.fixture
def target(server_url: str) -> Iterator[str]:
    """The address of a database that does not exist, and is dropped afterwards."""
    name = f"hyperpulse_restored_{os.getpid()}"
    yield make_conninfo(server_url, dbname=name)
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def readings(url: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT count(*) FROM core.reading").fetchone()
    assert row is not None
    return int(row[0])


@pytest.mark.native
def test_a_backup_is_for_its_owner_only(made: Path) -> None:
    assert mode(made) == 0o700
    assert {path.name: mode(path) for path in made.iterdir()} == {DATABASE: 0o600, MANIFEST: 0o600}
    manifest = read(made)
    assert manifest.counts["core.reading"] == 505
    (login,) = [role for role in manifest.roles if role.name == LOGIN]
    assert login.verifier is not None
    assert login.verifier.startswith("SCRAM-SHA-256$")
    assert login.member_of == ["bi_tenant"]
    assert login.settings["default_transaction_read_only"] == "on"


@pytest.mark.native
def test_what_is_restored_is_what_was_backed_up(made: Path, source: str, target: str) -> None:
    done = backup("restore", made, "--verify", "all", DATABASE_URL=target)
    assert done.returncode == 0, done.stderr
    assert "rollups of all users equal the readings" in done.stderr
    everything = "SELECT * FROM api.readings ORDER BY tenant_id, user_id, ts"
    compressed = "SELECT count(*) FROM timescaledb_information.chunks WHERE is_compressed"
    with psycopg.connect(source) as one, psycopg.connect(target, autocommit=True) as other:
        for query in (everything, compressed, "SELECT * FROM api.users ORDER BY 1, 2"):
            assert one.execute(query).fetchall() == other.execute(query).fetchall(), query
        assert other.execute("SHOW timescaledb.restoring").fetchone() == ("off",)
        assert other.execute("SELECT role::text FROM core.bi_login").fetchone() == (LOGIN,)
        # Its privileges are there as well.
        other.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(LOGIN)))
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            other.execute("SELECT FROM core.reading")
        other.execute("SELECT FROM api.readings")
        other.execute("RESET ROLE")
    with running_service(target) as url, httpx.Client(base_url=url, timeout=30) as client:
        assert client.get("/ready").status_code == 200
        reading = {"device_id": "watch", "user_id": "new", "timestamp": datetime.now(UTC).isoformat(), "steps": 5}
        assert client.post("/v1/readings", json=reading).json()["inserted"] == 1
    assert readings(target) == 506


@pytest.mark.native
def test_data_is_not_replaced_unless_asked(made: Path, target: str) -> None:
    assert backup("restore", made, DATABASE_URL=target).returncode == 0
    with psycopg.connect(target, autocommit=True) as connection:
        connection.execute("DELETE FROM core.reading WHERE heart_rate = 61")
    refused = backup("restore", made, DATABASE_URL=target)
    assert refused.returncode == 1
    assert "has data (in core.tenant" in refused.stderr
    assert "--replace" in refused.stderr
    assert readings(target) == 404
    with psycopg.connect(target, application_name="somebody"):
        busy = backup("restore", made, "--replace", DATABASE_URL=target)
    assert busy.returncode == 1
    assert "somebody" in busy.stderr
    assert readings(target) == 404
    done = backup("restore", made, "--replace", DATABASE_URL=target)
    assert done.returncode == 0, done.stderr
    assert readings(target) == 505


@pytest.mark.native
def test_tables_of_others_are_data(made: Path, target: str, server_url: str) -> None:
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(f"hyperpulse_restored_{os.getpid()}")))
    with psycopg.connect(target, autocommit=True) as connection:
        connection.execute("CREATE TABLE theirs ()")
    refused = backup("restore", made, DATABASE_URL=target)
    assert refused.returncode == 1
    assert "has data (in theirs)" in refused.stderr


@pytest.mark.native
def test_a_migrated_database_without_data_is_replaced(made: Path, target: str, server_url: str) -> None:
    """As containers leave it that migrate at their first start."""
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(f"hyperpulse_restored_{os.getpid()}")))
    migrate(target)
    done = backup("restore", made, DATABASE_URL=target)
    assert done.returncode == 0, done.stderr
    assert readings(target) == 505


@pytest.mark.native
def test_a_damaged_backup_leaves_everything_as_it_is(
    made: Path, source: str, target: str, server_url: str, tmp_path: Path
) -> None:
    damaged = tmp_path / "damaged"
    shutil.copytree(made, damaged)
    with (damaged / DATABASE).open("r+b") as file:
        file.seek(1000)
        file.write(b"\0")
    refused = backup("restore", damaged, DATABASE_URL=target)
    assert refused.returncode == 1
    assert "SHA-256 differs" in refused.stderr
    # Fewer readings than the backup says: nothing takes the name, and nothing is left.
    (damaged / DATABASE).write_bytes((made / DATABASE).read_bytes())
    text = (damaged / MANIFEST).read_text().replace('"core.reading": 505', '"core.reading": 506')
    (damaged / MANIFEST).write_text(text)
    refused = backup("restore", damaged, DATABASE_URL=target)
    assert refused.returncode == 1
    assert "core.reading has 505 rows, and the backup 506" in refused.stderr
    with psycopg.connect(server_url) as connection:
        left = "SELECT datname FROM pg_database WHERE datname ~ '^hyperpulse_(restored|restoring)'"
        assert connection.execute(left).fetchall() == []


@pytest.mark.native
def test_an_upkeep_does_not_begin_during_a_dump(source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would wait for the locks of the dump, and hold up others by its own."""
    held: list[object] = []

    def look(*arguments: object) -> None:
        with psycopg.connect(source, autocommit=True) as other:
            held.append(other.execute("SELECT api_internal.claim('upkeep', from_idle => true)").fetchone())
        (tmp_path / "one" / DATABASE).touch()

    monkeypatch.setattr("scripts.backup.dump.dump", look)
    back_up(source, tmp_path / "one")
    assert held == [(False,)]
    with psycopg.connect(source, autocommit=True) as other:
        assert other.execute("SELECT api_internal.claim('upkeep', from_idle => true)").fetchone() == (True,)


@pytest.mark.native
def test_only_a_superuser_restores(made: Path, source: str, target: str) -> None:
    name = f"backup_plain_{os.getpid()}"
    with psycopg.connect(source, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN CREATEDB").format(sql.Identifier(name)))
        try:
            refused = backup("restore", made, DATABASE_URL=make_conninfo(target, user=name))
        finally:
            connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))
    assert refused.returncode == 1
    assert "takes a superuser" in refused.stderr


@pytest.mark.native
def test_roles_come_back_without_more_rights(made: Path) -> None:
    for role in read(made).roles:
        assert "SUPERUSER" not in creation(role).as_string()


def test_no_password_is_on_a_command_line() -> None:
    with programs.login("postgresql://owner:se%3Acret@host/database?sslmode=require") as login:
        assert "cret" not in login.conninfo
        assert "sslmode=require" in login.conninfo
        file = Path(login.environment["PGPASSFILE"])
        assert mode(file) == 0o600
        assert file.read_text() == "*:*:*:*:se\\:cret\n"
    assert not file.exists()


def test_programs_are_of_the_server_or_newer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "pg_dump"
    program.write_text("#!/bin/sh\necho 'pg_dump (PostgreSQL) 16.3 (Debian 16.3-1)'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PG_BIN", str(tmp_path))
    assert programs.find("pg_dump", 15) == programs.find("pg_dump", 16) == program
    with pytest.raises(CannotBackUp, match="no pg_dump of PostgreSQL 17 or newer"):
        programs.find("pg_dump", 17)


def test_a_failed_program_is_quoted_and_leaves_nothing(tmp_path: Path) -> None:
    program = tmp_path / "pg_dump"
    program.write_text("#!/bin/sh\necho 'pg_dump: error: no room' >&2\nexit 3\n")
    program.chmod(0o755)
    with pytest.raises(CannotBackUp, match="pg_dump ended with status 3: pg_dump: error: no room"):
        programs.run([program], os.environ)


def test_what_cannot_be_restored_is_said(tmp_path: Path) -> None:
    for arguments, environment, said in (
        (["restore", tmp_path], {"DATABASE_URL": "postgresql://127.0.0.1:1/x"}, "is no whole backup"),
        (["dump"], {"DATABASE_URL": "postgresql://127.0.0.1:1/x"}, "cannot be reached"),
        (["dump"], {"DATABASE_URL": "", "DATA": str(tmp_path)}, "There is no embedded database"),
        (["base", tmp_path / "base"], {"DATABASE_URL": ""}, "has no base backups"),
        (["recover", tmp_path, "--archive", tmp_path, "--to", tmp_path / "x"], {}, "it has no PG_VERSION"),
        (
            ["recover", tmp_path, "--archive", tmp_path, "--to", tmp_path / "x", "--until", "2026-01-01"],
            {},
            "no offset",
        ),
    ):
        done = backup(*arguments, **environment)
        assert (done.returncode, said in done.stderr, "Traceback" in done.stderr) == (1, True, False), done.stderr


def test_the_embedded_database_is_backed_up_while_it_rests(migrated: Path, tmp_path: Path) -> None:
    data, folder, elsewhere = tmp_path / "data", tmp_path / "backup", tmp_path / "elsewhere"
    shutil.copytree(migrated, data, ignore=shutil.ignore_patterns(PREPARED))
    with embedded.start(data, jobs_interval=0) as running:
        with psycopg.connect(running.url, autocommit=True) as connection:
            connection.execute(FILL)
        refused = backup("dump", "--to", folder, DATABASE_URL=running.url)
        assert (refused.returncode, "unset DATABASE_URL" in refused.stderr) == (1, True), refused.stderr
        refused = backup("dump", "--to", folder, DATABASE_URL="", DATA=str(data))
    assert refused.returncode == 1
    assert "runs, and its files can only be copied while it does not" in refused.stderr
    assert not folder.exists()
    done = backup("dump", "--to", folder, DATABASE_URL="", DATA=str(data))
    assert done.returncode == 0, done.stderr
    assert mode(folder) == 0o700
    assert {mode(path) for path in folder.iterdir()} == {0o600}
    assert backup("restore", folder, DATABASE_URL="", DATA=str(elsewhere)).returncode == 0
    refused = backup("restore", folder, DATABASE_URL="", DATA=str(elsewhere))
    assert "has an embedded database" in refused.stderr
    assert backup("restore", folder, "--replace", DATABASE_URL="", DATA=str(elsewhere)).returncode == 0
    assert not (elsewhere / "gateway.lock").exists()
    with embedded.start(elsewhere, jobs_interval=0) as running:
        assert readings(running.url) == 505
    refused = backup("restore", folder, DATABASE_URL="postgresql://127.0.0.1:1/x")
    assert "unset DATABASE_URL" in refused.stderr


def test_the_log_is_archived_once_and_whole(tmp_path: Path) -> None:
    segment, archived = tmp_path / "segment", tmp_path / "wal" / "000000010000000000000001"
    archived.parent.mkdir()
    segment.write_bytes(b"x" * 1000)
    command = ["sh", str(ROOT / "deploy" / "archive-wal.sh"), str(segment), str(archived)]
    for _ in range(2):  # again after a crash
        assert subprocess.run(command, check=False).returncode == 0
    assert archived.read_bytes() == segment.read_bytes()
    assert mode(archived) == 0o600
    assert [path.name for path in archived.parent.iterdir()] == [archived.name]
    segment.write_bytes(b"y" * 1000)
    other = subprocess.run(command, capture_output=True, text=True, check=False)
    assert other.returncode == 1
    assert "another server" in other.stderr
    assert archived.read_bytes() == b"x" * 1000
    shutil.rmtree(archived.parent)
    assert subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode != 0


def test_a_recovery_reads_the_segment_that_was_begun_last(tmp_path: Path) -> None:
    archive, wanted = tmp_path / "wal", tmp_path / "wanted"
    archive.mkdir()
    (archive / "1.partial").write_text("newest")
    settings = base.recovery_settings(archive, datetime(2026, 11, 30, 2, 15, tzinfo=UTC))
    assert "recovery_target_time = '2026-11-30 02:15:00+00:00'" in settings
    (command,) = [line.split("'")[1] for line in settings.splitlines() if line.startswith("restore_command")]
    for name, status in (("1", 0), ("2", 1)):
        line = command.replace("%f", name).replace("%p", str(wanted))
        assert subprocess.run(["sh", "-c", line], stderr=subprocess.DEVNULL, check=False).returncode == status
    assert wanted.read_text() == "newest"
