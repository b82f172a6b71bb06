"""Base backups of a whole server, and a data directory that recovers from one to a point in time."""

from __future__ import annotations

import re
import shutil
from datetime import datetime
from pathlib import Path

from scripts.backup import programs
from scripts.backup.dump import connected, one, statement
from scripts.backup.errors import CannotBackUp
from scripts.backup.progress import Progress, size

PROGRESS = re.compile(r"^\s*(\d+)/(\d+) kB \((\d+)%\)")
PLAIN = re.compile(r"[\w./+@:-]+")
"""What a path may consist of where a shell of the server reads it."""


def take(url: str, folder: Path) -> None:
    """Copy a running server into a directory, with the write-ahead log that makes the copy whole, and verify it."""
    if folder.exists() and any(folder.iterdir()):
        raise CannotBackUp(f"{folder} is not empty. Name a directory that is, or that does not exist.")
    with connected(url) as connection:
        major = int(one(connection, statement("described"))["postgresql"])
    progress = Progress("copying")

    def heard(line: str) -> bool:
        if found := PROGRESS.match(line):
            done, total, share = found.groups()
            progress.show(f"{size(int(done) * 1024)} of {size(int(total) * 1024)}, {share} %")
        return found is not None or (line.startswith("pg_basebackup: ") and "error" not in line)

    with programs.login(url) as login:
        command: list[str | Path] = [
            programs.find("pg_basebackup", major),
            f"--dbname={login.conninfo}",
            f"--pgdata={folder}",
            "--format=plain",
            "--wal-method=stream",
            "--checkpoint=fast",
            "--manifest-checksums=SHA256",
            "--no-password",
            "--progress",
        ]
        programs.run(command, login.environment, heard)
    total = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    progress.end(f"{size(total)} in {progress.seconds:.1f} s")
    verify(folder)


def verify(folder: Path) -> None:
    """Compare the files of a base backup with its manifest."""
    progress = Progress("verifying")
    program = programs.find("pg_verifybackup", major_in(folder))
    # Where the log is parsed by pg_waldump of the same directory.
    programs.run([program, "--exit-on-error", folder], {"PATH": f"{program.parent}:/usr/bin:/bin"})
    progress.end(f"the files are those that were copied, {progress.seconds:.1f} s")


def major_in(folder: Path) -> int:
    """Return the major version of PostgreSQL of a data directory."""
    try:
        return int((folder / "PG_VERSION").read_text(encoding="ascii"))
    except (OSError, ValueError):
        raise CannotBackUp(f"{folder} is no base backup of PostgreSQL: it has no PG_VERSION.") from None


def recover(base: Path, archive: Path, data: Path, until: datetime | None) -> None:
    """Make a data directory that recovers when a server is started on it.

    Args:
        base: of a base backup, which stays as it is.
        archive: where the write-ahead log was archived, as the server sees it.
        data: is created.
        until: the moment; what was committed later is left out. None: as far as the archive reaches.

    """
    if data.exists() and any(data.iterdir()):
        raise CannotBackUp(f"{data} is not empty. Name a directory that is, or that does not exist.")
    if not archive.is_dir():
        raise CannotBackUp(f"There is no directory {archive}: name the one that WAL was archived in.")
    if not PLAIN.fullmatch(str(archive)):
        raise CannotBackUp(f"{archive} has characters that a shell reads; mount or link it under a plain name.")
    if until is not None and until.tzinfo is None:
        raise CannotBackUp(f"{until} has no offset from UTC: write it like {until.isoformat()}Z.")
    verify(base)
    progress = Progress("copying")
    shutil.copytree(base, data, symlinks=True, dirs_exist_ok=True)
    data.chmod(0o700)
    with (data / "postgresql.auto.conf").open("a", encoding="utf-8") as settings:
        settings.write(recovery_settings(archive, until))
    (data / "recovery.signal").touch(mode=0o600)
    progress.end(f"{data} is ready in {progress.seconds:.1f} s")


def recovery_settings(archive: Path, until: datetime | None) -> str:
    """Return the settings of a recovery; the server then opens for writes, on a timeline of its own."""
    lines = {
        # pg_receivewal names the segment that it has begun so; it is the newest.
        "restore_command": f'cp "{archive}/%f" "%p" 2>/dev/null || cp "{archive}/%f.partial" "%p"',
        "recovery_target_timeline": "latest",
        "recovery_target_action": "promote",
        "recovery_target_time": "" if until is None else until.isoformat(sep=" "),
        "recovery_target_inclusive": "on",
    }
    return "\n# Written by python -m scripts.backup recover.\n" + "".join(
        f"{name} = '{value}'\n" for name, value in lines.items()
    )
