"""The embedded database as a backup: its files, while no process has them open."""

from __future__ import annotations

import contextlib
import os
import shutil
import tarfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from scripts.backup.errors import CannotBackUp
from scripts.backup.manifest import EMBEDDED, Manifest, digest, require_whole, write
from scripts.backup.progress import Progress, size
from service import __version__

LOCK = "gateway.lock"


@contextlib.contextmanager
def locked(data: Path) -> Iterator[None]:
    """Hold the lock of a data directory, as the embedded database does while it runs."""
    file = data / LOCK
    with contextlib.suppress(OSError, ValueError, IndexError):
        if not is_alive(int(file.read_text().split()[0])):
            file.unlink()
    try:
        # Without a start time the process id decides.
        with os.fdopen(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as lock:
            lock.write(f"{os.getpid()} \n")
    except FileExistsError:
        raise CannotBackUp(
            f"The embedded database in {data} runs, and its files can only be copied while it does not. Stop make run "
            "first. (A TimescaleDB of your own is backed up while it runs.)"
        ) from None
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


def is_alive(pid: int) -> bool:
    """Return whether a process exists."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def back_up_embedded(data: Path, folder: Path) -> Manifest:
    """Write the files of an embedded database into a directory that does not exist yet."""
    if not (data / "databases").is_dir():
        raise CannotBackUp(f"There is no embedded database in {data}. Set DATA, or DATABASE_URL for another database.")
    if folder.exists():
        raise CannotBackUp(f"{folder} exists. Name a directory that does not, with --to.")
    progress = Progress("copying")
    with locked(data):
        folder.mkdir(mode=0o700, parents=True)
        file = folder / EMBEDDED
        try:
            taken_at = datetime.now(UTC)
            with os.fdopen(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as out:
                with tarfile.open(fileobj=out, mode="w:gz", compresslevel=3) as tar:
                    for path in sorted(path for path in data.iterdir() if not path.name.startswith(LOCK)):
                        tar.add(path, path.name)
                        progress.show(size(out.tell()))
                out.flush()
                os.fsync(out.fileno())
        except BaseException:
            shutil.rmtree(folder)
            raise
    progress.end(f"{size(file.stat().st_size)} in {progress.seconds:.1f} s")
    manifest = Manifest(__version__, EMBEDDED, taken_at, digest(file), file.stat().st_size)
    write(folder, manifest)
    return manifest


def restore_embedded(data: Path, folder: Path, manifest: Manifest, *, replace: bool) -> None:
    """Put the files of a backup into a data directory."""
    file = require_whole(folder, manifest)
    if (data / "databases").exists() and not replace:
        raise CannotBackUp(f"{data} has an embedded database. Set DATA to another directory, or add --replace.")
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    with locked(data):
        beside = data / "databases.restoring"
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir(mode=0o700)
        progress = Progress("restoring")
        with tarfile.open(file) as tar:
            tar.extraction_filter = getattr(tarfile, "data_filter", lambda member, path: member)
            tar.extractall(beside)  # noqa: S202, it is filtered where Python can, and its digest was compared
        for path in beside.iterdir():
            remove(data / path.name)
            path.rename(data / path.name)
        beside.rmdir()
    progress.end(f"{size(manifest.bytes)} in {progress.seconds:.1f} s")


def remove(path: Path) -> None:
    """Remove a file or a directory, where there is one."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
