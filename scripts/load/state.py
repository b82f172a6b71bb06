"""The progress of an import: a small file, replaced after each chunk that the service acknowledges."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

from scripts.load.errors import CannotRead
from scripts.load.options import Options

START = 64 * 1024
"""Bytes by which a file is recognised."""

OUTCOMES = ("inserted", "updated", "unchanged", "rejected")


@dataclass(slots=True)
class FileState:
    """The progress of one file."""

    line: int
    """The last acknowledged line."""
    offset: int
    """Its end, in bytes of the decompressed file, never inside an unfinished line."""
    start_bytes: int
    start_sha256: str
    finished_at_bytes: int | None = None
    """The size on disk of a file that was read to its end."""
    readings: int = 0
    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    rejected: int = 0
    is_behind_an_end: bool = False
    """Whether the offset is known to be the end of a line; earlier releases counted unfinished lines."""


@dataclass(slots=True)
class State:
    """The progress of each file, by path."""

    url: str
    """URL of the service that acknowledged them."""
    rejects_bytes: int = 0
    """The length of the file of rejects; bytes after it belong to a chunk that is sent again."""
    files: dict[str, FileState] = field(default_factory=dict)


def read_state(options: Options) -> State:
    """Return the state of an earlier import, or a new one; CannotRead if the file does not match."""
    if options.restart or options.dry_run or not options.state.exists():
        return State(options.url)
    try:
        document = json.loads(options.state.read_bytes())
        files = {path: FileState(**entry) for path, entry in document["files"].items()}
        state = State(document["url"], document["rejects_bytes"], files)
    except OSError as error:
        raise CannotRead(f"{options.state} cannot be read: {error.strerror}.") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CannotRead(f"{options.state} is no state of an import; name another with --state.") from error
    if state.url != options.url:
        raise CannotRead(
            f"{options.state} belongs to an import into {state.url}; name another file with --state, or --restart."
        )
    return state


def write_state(path: Path, state: State) -> None:
    """Replace the file atomically, so that a break leaves the old or the new one."""
    beside = path.with_name(f"{path.name}.new")
    try:
        beside.write_text(json.dumps(asdict(state), indent=1) + "\n", encoding="utf-8")
        os.replace(beside, path)  # noqa: PTH105
    except OSError as error:
        raise CannotRead(f"{path} cannot be written: {error.strerror}; name another place with --state.") from error


def file_state(state: State, path: Path, line: int, offset: int) -> FileState:
    """Return the progress of a file, initially line `line`; CannotRead if the file has changed."""
    known = state.files.get(str(path))
    length = START if known is None else known.start_bytes
    try:
        with path.open("rb") as file:
            start = file.read(length)
    except OSError as error:
        raise CannotRead(f"{path} cannot be read: {error.strerror}.") from error
    digest = hashlib.sha256(start).hexdigest()
    if known is None:
        known = state.files[str(path)] = FileState(line, offset, len(start), digest, is_behind_an_end=True)
    elif digest != known.start_sha256 or path.stat().st_size < (known.finished_at_bytes or 0):
        raise CannotRead(f"{path} has changed since its import began; --restart imports it again.")
    return known
