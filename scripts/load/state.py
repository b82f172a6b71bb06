"""How far an import came: a small file, written anew after each piece that the service has acknowledged."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

from scripts.load.errors import CannotRead
from scripts.load.options import Options

START = 64 * 1024
"""Bytes by which a file is known again."""

OUTCOMES = ("inserted", "updated", "unchanged", "rejected")


@dataclass(slots=True)
class FileState:
    """How far one file came."""

    line: int
    """The last line that was acknowledged."""
    offset: int
    """Where it ends, in bytes of the decompressed file; a line without an end is not passed."""
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
    """Whether the offset is known to lie behind the end of a line; earlier releases passed lines without one."""


@dataclass(slots=True)
class State:
    """How far each file came, by path."""

    url: str
    """Of the service that has acknowledged them."""
    rejects_bytes: int = 0
    """The length of the file of rejects; what is behind it belongs to a piece that is sent again."""
    files: dict[str, FileState] = field(default_factory=dict)


def read_state(options: Options) -> State:
    """Read how far an earlier import came, or begin a new one; CannotRead where the file does not fit."""
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
            f"{options.state} tells of an import into {state.url}; name another file with --state, or --restart."
        )
    return state


def write_state(path: Path, state: State) -> None:
    """Replace the file in one step, so that a break leaves the old one or the new one."""
    beside = path.with_name(f"{path.name}.new")
    try:
        beside.write_text(json.dumps(asdict(state), indent=1) + "\n", encoding="utf-8")
        os.replace(beside, path)  # noqa: PTH105
    except OSError as error:
        raise CannotRead(f"{path} cannot be written: {error.strerror}; name another place with --state.") from error


def file_state(state: State, path: Path, line: int, offset: int) -> FileState:
    """Return how far a file came, at first line `line`; CannotRead where it is not the file that it was."""
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
        raise CannotRead(f"{path} has changed since its import began; --restart imports all anew.")
    return known
