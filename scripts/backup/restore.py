"""Restores a portable backup beside the database of that name, checks it, and only then puts it in place."""

from __future__ import annotations

import re
import secrets
import subprocess
import time
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from scripts.backup import programs
from scripts.backup.dump import Connection, connected, count, one, statement
from scripts.backup.errors import CannotBackUp
from scripts.backup.manifest import Manifest, Role, require_whole
from scripts.backup.progress import Progress
from scripts.migrate import first_line

VERIFIED_DAYS = 60
LEAVING_SECONDS = 3.0
"""For which a session that has just been closed may still be seen."""
SESSIONS = (
    "SELECT coalesce(nullif(application_name, ''), usename) AS who FROM pg_stat_activity"
    " WHERE datname = %s AND backend_type = 'client backend'"
)
HELD = ("core.tenant", "core.event", "core.access_key")
"""Tables that a migrated database without data has empty."""


def restore(url: str, folder: Path, manifest: Manifest, users: int | None, *, replace: bool) -> None:
    """Restore a backup as the database of an address.

    Args:
        url: of a superuser; the database need not exist.
        folder: of the backup.
        manifest: of the backup.
        users: how many to compare rollups with readings for, drawn at random; None for all.
        replace: whether a database with data may be replaced.

    """
    name = str(conninfo_to_dict(url).get("dbname") or conninfo_to_dict(url).get("user") or "postgres")
    file = require_whole(folder, manifest)
    with connected(make_conninfo(url, dbname="template1" if name == "postgres" else "postgres")) as admin:
        require_able(admin, manifest)
        require_free(admin, url, name, replace)
        beside = f"hyperpulse_restoring_{secrets.token_hex(4)}"
        make_roles(admin, manifest.roles)
        create(admin, beside, manifest)
        try:
            fill(make_conninfo(url, dbname=beside), file, manifest)
            check(make_conninfo(url, dbname=beside), manifest, users)
            require_free(admin, url, name, replace)  # a service may have come meanwhile
            put_in_place(admin, beside, name, manifest)
        finally:
            admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(beside)))


def require_able(admin: Connection, manifest: Manifest) -> None:
    """Require a superuser, and a server that can hold the backup."""
    found = one(admin, statement("described"))
    if not found["is_superuser"]:
        raise CannotBackUp(
            "A restore writes TimescaleDB's catalog, which takes a superuser: name one in DATABASE_URL. What it "
            "restores keeps its owners."
        )
    if found["postgresql"] < manifest.postgresql:
        raise CannotBackUp(
            f"The backup is of PostgreSQL {manifest.postgresql}, and the server is {found['postgresql']}: it needs "
            f"{manifest.postgresql} or newer."
        )
    query = "SELECT version FROM pg_available_extension_versions WHERE name = 'timescaledb'"
    versions = [row["version"] for row in admin.execute(query).fetchall()]
    if manifest.timescaledb not in versions:
        raise CannotBackUp(
            f"The backup is of TimescaleDB {manifest.timescaledb}, and the server has {', '.join(versions) or 'none'}: "
            "install that version, restore, and then update the extension."
        )


def require_free(admin: Connection, url: str, name: str, replace: bool) -> None:
    """Require that a restore takes nothing away, or may, and that no session uses the database."""
    if admin.execute("SELECT FROM pg_database WHERE datname = %s", [name]).fetchone() is None:
        return
    if not replace and (held := data_in(make_conninfo(url, dbname=name))):
        raise CannotBackUp(
            f"The database {name} has data (in {', '.join(held)}). Restore into another one, or add --replace, which "
            "drops this one once the backup is restored and checked."
        )
    until = time.monotonic() + LEAVING_SECONDS
    while found := admin.execute(SESSIONS, [name]).fetchall():
        if time.monotonic() > until:
            who = ", ".join(sorted({str(row["who"]) for row in found}))
            raise CannotBackUp(
                f"Sessions use the database {name} ({len(found)}: {who}). Stop the service and close them first."
            )
        time.sleep(0.1)


def data_in(url: str) -> list[str]:
    """Return some tables of a database that a restore would take away."""
    with connected(url) as connection:
        found = [str(row["name"]) for row in connection.execute(statement("has_data")).fetchall()]
        for table in HELD:
            try:
                query = sql.SQL("SELECT FROM {} LIMIT 1").format(sql.Identifier(*table.split(".")))
                if connection.execute(query).fetchone() is not None:
                    found.append(table)
            except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
                continue
        return found


def make_roles(admin: Connection, roles: list[Role]) -> None:
    """Create the roles that are missing; those that are there stay as they are."""
    known = {row["rolname"] for row in admin.execute("SELECT rolname FROM pg_roles").fetchall()}
    missing = [role for role in roles if role.name not in known]
    with admin.transaction():
        # Verifiers stay out of the server's log.
        admin.execute("SET LOCAL log_statement = 'none'; SET LOCAL log_min_duration_statement = -1")
        for role in missing:
            admin.execute(creation(role))
            for name, value in role.settings.items():
                statement = sql.SQL("ALTER ROLE {} SET {} = {}")
                admin.execute(statement.format(sql.Identifier(role.name), sql.Identifier(name), value))
        for role in missing:
            for group in role.member_of:
                admin.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(group), sql.Identifier(role.name)))
    for role in missing:
        without = " without a password: set one" if role.can_login and role.verifier is None else ""
        print(f"created the role {role.name}{without}", flush=True)


def creation(role: Role) -> sql.Composed:
    """Return the statement that creates a role; no role comes back as a superuser."""
    parts = [
        sql.SQL("CREATE ROLE {} CONNECTION LIMIT {}").format(sql.Identifier(role.name), role.connections),
        sql.SQL("LOGIN" if role.can_login else "NOLOGIN"),
        sql.SQL("CREATEROLE" if role.create_role else "NOCREATEROLE"),
    ]
    if role.verifier is not None:
        parts.append(sql.SQL("PASSWORD {}").format(role.verifier))
    return sql.SQL(" ").join(parts)


def create(admin: Connection, name: str, manifest: Manifest) -> None:
    """Create a database for the restore."""
    statement = sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE template0 ENCODING {}")
    admin.execute(statement.format(sql.Identifier(name), sql.Identifier(manifest.owner), manifest.encoding))


def fill(url: str, file: Path, manifest: Manifest) -> None:
    """Restore a dump as TimescaleDB asks for: in one process, between its two functions."""
    program = programs.find("pg_restore", manifest.postgresql)
    with connected(url) as connection:
        create_it = sql.SQL("CREATE EXTENSION timescaledb VERSION {}").format(manifest.timescaledb)
        connection.execute(create_it)
        connection.execute("SELECT public.timescaledb_pre_restore()")
    with programs.login(url) as login:
        run_pg_restore(program, login, file)
    # In a new session: one that began before the restore still has the setting.
    with connected(url) as connection:
        connection.execute("SELECT public.timescaledb_post_restore()")
        connection.execute("ANALYZE")


def run_pg_restore(program: Path, login: programs.Login, file: Path) -> None:
    """Run pg_restore, which ends at the first error."""
    listed = subprocess.run([program, "--list", file], capture_output=True, text=True, check=False).stdout
    total, done, progress = len(re.findall(r"^\d+;.* TABLE DATA ", listed, re.MULTILINE)), 0, Progress("restoring")

    def heard(line: str) -> bool:
        nonlocal done
        if "processing data for table" in line:
            done += 1
        if not re.match(r"pg_restore: [a-z]+ing ", line):
            return False
        progress.show(f"{done:,} of {total:,} tables")
        return True

    command: list[str | Path] = [
        program,
        f"--dbname={login.conninfo}",
        "--exit-on-error",
        "--no-password",
        "--verbose",
        file,
    ]
    programs.run(command, login.environment, heard)
    progress.end(f"{total:,} tables in {progress.seconds:.1f} s")


def check(url: str, manifest: Manifest, users: int | None) -> None:
    """Compare the restored database with what was backed up, and its rollups with its readings."""
    with connected(url) as connection:
        found = count(connection)
        different = [
            f"{table} has {found.get(table, 0):,} rows, and the backup {rows:,}"
            for table, rows in manifest.counts.items()
            if found.get(table) != rows
        ]
        if different:
            raise CannotBackUp(f"What was restored is not what was backed up: {'; '.join(different)}.")
        if users != 0:
            verify(connection, manifest, users)


def verify(connection: Connection, manifest: Manifest, users: int | None) -> None:
    """Require that the rollups of some users equal their readings."""
    progress = Progress("verifying")
    query = (
        "SELECT count(*) AS buckets, count(*) FILTER (WHERE problem IS NOT NULL) AS differ"
        " FROM api.verify(%(at)s - make_interval(days => %(days)s), %(at)s, %(users)s::int)"
    )
    values = {"at": manifest.taken_at, "days": VERIFIED_DAYS, "users": users}
    row = connection.execute(query, values).fetchone()
    assert row is not None
    if row["differ"]:
        raise CannotBackUp(f"{row['differ']:,} of {row['buckets']:,} rollups differ from the readings.")
    whose = "all users" if users is None else f"{users:,} users at most"
    progress.end(f"{row['buckets']:,} rollups of {whose} equal the readings, {progress.seconds:.1f} s")


def put_in_place(admin: Connection, beside: str, name: str, manifest: Manifest) -> None:
    """Give the restored database its name, in place of the one that has it."""
    new, old, aside = sql.Identifier(beside), sql.Identifier(name), sql.Identifier(f"{beside}_old")
    for setting in manifest.settings:
        key, value = setting.split("=", 1)
        admin.execute(sql.SQL("ALTER DATABASE {} SET {} = {}").format(new, sql.Identifier(key), value))
    is_there = admin.execute("SELECT FROM pg_database WHERE datname = %s", [name]).fetchone() is not None
    try:
        close(admin, beside)
        if is_there:
            close(admin, name)
        with admin.transaction():
            if is_there:
                admin.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(old, aside))
            admin.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(new, old))
    except psycopg.Error as error:
        raise CannotBackUp(f"The restored database cannot take the name {name}: {first_line(error)}.") from error
    finally:
        if admin.execute("SELECT FROM pg_database WHERE datname = %s", [name]).fetchone() is not None:
            admin.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(old))
    if is_there:
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(aside))


def close(admin: Connection, name: str) -> None:
    """Let no session into a database, and end those that are there, which are TimescaleDB's workers."""
    admin.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(sql.Identifier(name)))
    admin.execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s", [name])
