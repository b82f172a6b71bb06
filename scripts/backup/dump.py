"""A portable backup: pg_dump in one snapshot, with the roles that it names and what a restore is checked by."""

from __future__ import annotations

import contextlib
import re
import shutil
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import DictRow, dict_row

from scripts.backup import programs
from scripts.backup.errors import CannotBackUp
from scripts.backup.manifest import DATABASE, Manifest, Role, digest, write
from scripts.backup.progress import Progress, size
from scripts.migrate import first_line, without_password
from service import __version__

HERE = Path(__file__).resolve().parent
COUNTED = (
    "core.tenant",
    "core.app_user",
    "core.device",
    "core.reading",
    "core.sample",
    "core.event",
    "core.access_key",
    "core.audit",
)
ZSTD_SINCE = 16  # of pg_dump
UPKEEP_SECONDS = 10.0

Connection = psycopg.Connection[DictRow]


@contextlib.contextmanager
def connected(url: str) -> Iterator[Connection]:
    """Open an autocommit connection; CannotBackUp names what the database refuses."""
    try:
        with psycopg.connect(url, autocommit=True, connect_timeout=10, row_factory=dict_row) as connection:
            connection.execute("SET client_min_messages = warning")
            yield connection
    except psycopg.OperationalError as error:
        raise CannotBackUp(
            f"The database {without_password(url)} cannot be reached: {first_line(error)}. Check DATABASE_URL and that "
            "the server runs."
        ) from error
    except psycopg.Error as error:
        raise CannotBackUp(f"The database {without_password(url)} refuses: {first_line(error)}.") from error


def statement(name: str) -> bytes:
    """Return the statement of a file in this folder."""
    return (HERE / f"{name}.sql").read_bytes()


def one(connection: psycopg.Connection[DictRow], text: bytes | sql.Composed) -> DictRow:
    """Return the one row of a statement."""
    row = connection.execute(text).fetchone()
    assert row is not None
    return row


def back_up(url: str, folder: Path) -> Manifest:
    """Write a backup of the database into a directory that does not exist yet."""
    try:
        folder.mkdir(mode=0o700, parents=True)
    except FileExistsError:
        raise CannotBackUp(f"{folder} exists. Name a directory that does not, with --to.") from None
    except OSError as error:
        raise CannotBackUp(f"{folder} cannot be made: {error.strerror}.") from None
    try:
        with connected(url) as connection:
            manifest = dumped(connection, url, folder)
    except BaseException:
        shutil.rmtree(folder)  # half a backup looks like one
        raise
    write(folder, manifest)
    return manifest


def dumped(connection: Connection, url: str, folder: Path) -> Manifest:
    """Dump one snapshot of the database and describe it."""
    found = one(connection, statement("described"))
    if found["is_embedded"]:
        raise CannotBackUp(
            "DATABASE_URL leads to an embedded database, which is backed up by its files: stop it, unset DATABASE_URL, "
            "and name its directory in DATA."
        )
    if not found["is_migrated"]:
        raise CannotBackUp(f"The database {without_password(url)} is not migrated to this release. Run make migrate.")
    program = programs.find("pg_dump", found["postgresql"])
    hold_upkeep_off(connection)
    file = folder / DATABASE
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        snapshot = one(connection, b"SELECT pg_export_snapshot() AS name, now() AS at")
        counts = count(connection)
        roles = roles_of(connection, found["is_superuser"])
        dump(program, url, snapshot["name"], file, found["tables"])
    return Manifest(
        __version__,
        DATABASE,
        snapshot["at"].astimezone(UTC),
        digest(file),
        file.stat().st_size,
        found["postgresql"],
        found["timescaledb"],
        found["encoding"],
        found["owner"],
        found["settings"],
        counts,
        roles,
    )


def hold_upkeep_off(connection: Connection) -> None:
    """Claim the upkeep for this session: it would wait for the locks of pg_dump, and others for its own meanwhile."""
    until = time.monotonic() + UPKEEP_SECONDS
    while not one(connection, b"SELECT api_internal.claim('upkeep', from_idle => true) AS held")["held"]:
        if time.monotonic() > until:
            return  # it gives up after seconds, and tries again later
        time.sleep(0.5)


def count(connection: Connection) -> dict[str, int]:
    """Return the rows of tables."""
    progress, counts = Progress("counting"), {}
    for name in COUNTED:
        progress.show(name)
        table = sql.Identifier(*name.split("."))
        counts[name] = int(one(connection, sql.SQL("SELECT count(*) AS n FROM {}").format(table))["n"])
    progress.end(f"{counts['core.reading']:,} readings of {counts['core.app_user']:,} users, {progress.seconds:.1f} s")
    return counts


def roles_of(connection: Connection, is_superuser: bool) -> list[Role]:
    """Return the roles that the dump names."""
    rows = connection.execute(statement("roles")).fetchall()
    verifiers: dict[str, str | None] = {}
    if is_superuser:
        known = connection.execute("SELECT rolname, rolpassword FROM pg_authid").fetchall()
        verifiers = {row["rolname"]: row["rolpassword"] for row in known}
    return [role_of(row, verifiers.get(row["name"])) for row in rows]


def role_of(row: DictRow, verifier: str | None) -> Role:
    """Return a role as a backup has it."""
    fields: dict[str, Any] = {**row, "settings": dict(text.split("=", 1) for text in row["settings"])}
    return Role(verifier=verifier if row["can_login"] else None, **fields)


def dump(program: Path, url: str, snapshot: str, file: Path, tables: int) -> None:
    """Run pg_dump on an exported snapshot."""
    progress, done = Progress("dumping"), 0

    def heard(line: str) -> bool:
        nonlocal done
        if not re.match(r"pg_dump: \S", line) or re.match(r"pg_dump: (error|warning|detail|hint)", line):
            return False
        if "dumping contents of table" in line:
            done += 1
        written = file.stat().st_size if file.exists() else 0
        progress.show(f"{done:,} of about {tables:,} tables, {size(written)}")
        return True

    compression = ["--compress=zstd:3"] if programs.major_of(program) >= ZSTD_SINCE else []
    with programs.login(url) as login:
        command: list[str | Path] = [
            program,
            f"--dbname={login.conninfo}",
            "--format=custom",
            *compression,
            f"--file={file}",
            f"--snapshot={snapshot}",
            "--no-password",
            "--verbose",
        ]
        programs.run(command, login.environment, heard)
    progress.end(f"{size(file.stat().st_size)} in {progress.seconds:.1f} s")


def default_folder(into: Path) -> Path:
    """Return a name for a backup that begins now."""
    return into / f"hyperpulse-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
