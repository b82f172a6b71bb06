"""Files that contributors edit while the service runs, for `make run ARGS=--reload`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

SUFFIXES = (".py", ".sql", ".txt")  # sql/build.txt names the order of the others; browsers reload pages by themselves
SKIPPED = {"__pycache__", "node_modules"}


class FileWatcher:
    """Compares the files of some directories with what they were at the last look."""

    def __init__(self, *directories: Path) -> None:
        self.directories = directories
        self.seen = self.look()

    def changes(self) -> set[Path]:
        """Return the files that were written, added or removed since the last call."""
        before, self.seen = self.seen, self.look()
        return {path for path, _ in before.items() ^ self.seen.items()}

    def look(self) -> dict[Path, int]:
        """Return when each file was written last, in nanoseconds."""
        return {path: time for directory in self.directories for path, time in modification_times(os.fspath(directory))}


def modification_times(directory: str) -> Iterator[tuple[Path, int]]:
    """Yield the files of code and SQL below a directory, each with the time of its last change."""
    with os.scandir(directory) as entries:
        for entry in entries:
            # An editor may have removed meanwhile what it wrote beside a file.
            with suppress(FileNotFoundError):
                if entry.is_dir(follow_symlinks=False):
                    if entry.name not in SKIPPED:
                        yield from modification_times(entry.path)
                elif entry.name.endswith(SUFFIXES):
                    yield Path(entry.path), entry.stat().st_mtime_ns
