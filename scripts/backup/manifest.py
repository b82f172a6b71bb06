"""What a portable backup holds: a directory with the dump, and a description by which a restore is checked."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec

from scripts.backup.errors import CannotBackUp

MANIFEST: Final = "manifest.json"
DATABASE: Final = "database.dump"
EMBEDDED: Final = "embedded.tar.gz"


class Role(msgspec.Struct, frozen=True):
    """A role that the dump needs; all roles of a server are outside of its databases."""

    name: str
    can_login: bool
    create_role: bool
    connections: int
    verifier: str | None
    """The SCRAM verifier of its password; None where the one who made the backup may not read it."""
    member_of: list[str]
    settings: dict[str, str]


class Manifest(msgspec.Struct, frozen=True):
    """A portable backup: of which versions, at which moment, and what was in it."""

    hyperpulse: str
    file: str
    taken_at: datetime
    """What was committed before is in the dump."""
    sha256: str
    bytes: int
    postgresql: int = 0
    """The major version; 0 for the files of the embedded database, which come with their own."""
    timescaledb: str = ""
    encoding: str = "UTF8"
    owner: str = ""
    settings: list[str] = []
    """Of the database, as `name=value`."""
    counts: Mapping[str, int] = {}
    """Rows by table, in the snapshot of the dump."""
    roles: list[Role] = []


def write(folder: Path, manifest: Manifest) -> None:
    """Write the description into the directory, for its owner only."""
    text = msgspec.json.format(msgspec.json.encode(manifest), indent=2)
    with os.fdopen(os.open(folder / MANIFEST, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600), "wb") as file:
        file.write(text + b"\n")
        file.flush()
        os.fsync(file.fileno())


def read(folder: Path) -> Manifest:
    """Read the description of a backup."""
    try:
        return msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)
    except OSError as error:
        raise CannotBackUp(
            f"{folder} is no whole backup: its {MANIFEST} cannot be read ({error.strerror}). A backup is the directory "
            "that `make backup` printed."
        ) from None
    except msgspec.MsgspecError as error:
        raise CannotBackUp(f"The {MANIFEST} of {folder} is damaged: {error}.") from None


def require_whole(folder: Path, manifest: Manifest) -> Path:
    """Return the file of a backup; CannotBackUp if it is not the one that was written."""
    file = folder / manifest.file
    if not file.is_file() or digest(file) != manifest.sha256:
        raise CannotBackUp(f"{file} is missing or is not what was backed up: its SHA-256 differs. Use another backup.")
    return file


def digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
