"""Positions of writers, in memory that all processes of this machine share which use one database.

A fixed table: each name has a place by its digest, and names that share a place share the later position, so that
what is forgotten, or taken for another's, sends a reader further than needed and never less far.
"""

from __future__ import annotations

import fcntl
import json
import mmap
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict

from service.database.replicas.positions import Position, unpacked

PLACES = 1 << 18  # 2 MiB; with fewer, more readers wait for what others wrote
HEAD = 8  # bytes: which cluster the positions are of
WHERE = ("host", "hostaddr", "port", "dbname", "service")
MEMORY = Path("/dev/shm")  # noqa: S108 - a directory of this user in it

Name = tuple[str, ...]


class SharedPositions:
    """The table; places are written under a lock of the file, and read without."""

    def __init__(self, path: Path) -> None:
        self.file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        size = HEAD + 8 * PLACES
        os.posix_fallocate(self.file, 0, size)  # where there is no room, here, and not at a write to the memory
        self.memory = mmap.mmap(self.file, size)
        self.words = memoryview(self.memory).cast("Q")
        self.places = self.words[1:]

    def close(self) -> None:
        """Let go of the memory."""
        self.places.release()
        self.words.release()
        self.memory.close()
        os.close(self.file)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Let no other process write meanwhile, which takes a microsecond."""
        fcntl.flock(self.file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self.file, fcntl.LOCK_UN)

    def belong_to(self, system: int) -> None:
        """Forget the positions of another cluster, which was at this address before."""
        system &= (1 << 64) - 1
        if self.words[0] == system:
            return
        with self.locked():
            if self.words[0] != system:
                self.memory[HEAD:] = bytes(8 * PLACES)
                self.words[0] = system

    def note(self, names: Iterable[Name], position: Position) -> None:
        """Raise the positions of names to this one."""
        packed = position.packed()
        with self.locked():
            for place in map(place_of, names):
                if self.places[place] < packed:
                    self.places[place] = packed

    def newest(self, names: Iterable[Name]) -> Position:
        """Return the latest position of names."""
        return unpacked(max(self.places[place_of(name)] for name in names))


def place_of(name: Name) -> int:
    """Return the place of a name, the same one in each process."""
    text = "\0".join(name).encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(text, digest_size=4).digest()) % PLACES


def file_of(database_url: str) -> Path:
    """Return the file of a database in a directory that only this user may enter; OSError where there is none."""
    home = MEMORY if os.access(MEMORY, os.W_OK | os.X_OK) else Path(tempfile.gettempdir())
    directory = home / f"hyperpulse-{os.geteuid()}"
    directory.mkdir(mode=0o700, exist_ok=True)
    found = directory.lstat()
    if found.st_uid != os.geteuid() or found.st_mode & 0o40077 != 0o40000:
        raise PermissionError(f"{directory} is no directory of this user alone")
    parts = conninfo_to_dict(database_url)
    where = json.dumps([str(parts.get(name, "")) for name in WHERE])
    return directory / f"positions-{blake2b(where.encode(), digest_size=8).hexdigest()}"
