"""Find the files to import, and those to skip."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from scripts.load.errors import CannotRead

ENDINGS = (".csv", ".ndjson", ".jsonl")
COMPRESSIONS = (".gz", ".zst")
NAMED = ".csv, .ndjson or .jsonl, perhaps with .gz or .zst, in any case"
SHOWN = 5
"""Skipped files that are named; further ones are counted."""


class Files(NamedTuple):
    """The files below the given paths."""

    found: list[Path]
    """Files to import, each once."""
    skipped: list[Path]
    """Other files in the directories."""


def files_of(paths: tuple[Path, ...]) -> Files:
    """Return the files of all paths; CannotRead if a path has none."""
    found: dict[Path, None] = {}
    skipped: dict[Path, None] = {}
    for path in paths:
        if not path.exists():
            raise CannotRead(f"{path} does not exist.")
        inside = within(path) if path.is_dir() else [path]
        files = [file for file in inside if file.is_file() and ending(file) in ENDINGS]
        if not files:
            raise CannotRead(f"{path} {'holds no file' if path.is_dir() else 'must be'} named {NAMED}.")
        found |= dict.fromkeys(file.resolve() for file in files)
        skipped |= dict.fromkeys(file for file in inside if file not in files)
    return Files(list(found), list(skipped))


def within(directory: Path) -> list[Path]:
    """Return the files of a directory, at any depth; links to directories are not followed."""

    def refuse(error: OSError) -> None:
        raise CannotRead(f"{error.filename} cannot be read: {error.strerror}.") from error

    found: list[Path] = []
    for place, directories, files in os.walk(directory, onerror=refuse):
        links = [name for name in directories if (Path(place) / name).is_symlink()]
        found += [Path(place) / name for name in files + links]
    return sorted(found)


def ending(path: Path) -> str:
    """Return the suffix of the format, without that of a compression, in lower case."""
    suffix = path.suffix.lower()
    return Path(path.stem).suffix.lower() if suffix in COMPRESSIONS else suffix


def skipped_words(skipped: list[Path]) -> str:
    """Return the skipped files as text."""
    shown = ", ".join(map(str, skipped[:SHOWN]))
    more = f" and {len(skipped) - SHOWN:,} more" if len(skipped) > SHOWN else ""
    return f"Skipped, not named {NAMED}: {shown}{more}."
