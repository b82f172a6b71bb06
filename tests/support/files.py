"""The files of tests/files, and adapters that read them."""

from __future__ import annotations

import io
import sqlite3
import zipfile
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from service.imports.adapter import Adapter, Damaged, Found, ImportContext, Rejected, Skipped

FILES = Path(__file__).parent.parent / "files"
BERLIN = ZoneInfo("Europe/Berlin")


def content(name: str) -> bytes:
    """Return the bytes of a file, named by its format and its name."""
    return (FILES / name).read_bytes()


def database(script: str) -> bytes:
    """Return an SQLite database that a script makes."""
    made = sqlite3.connect(":memory:")
    with closing(made):
        made.executescript(script)
        return made.serialize()


def packed(**files: bytes) -> bytes:
    """Return an archive of files; two underscores in a name stand for a slash."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in files.items():
            archive.writestr(name.replace("__", "/"), body)
    return target.getvalue()


class Read(NamedTuple):
    """What an adapter made of a file."""

    found: list[Found]
    rejected: list[Rejected]
    skipped: Counter[tuple[str, str]]
    damage: str | None

    @property
    def kinds(self) -> Counter[str]:
        """How many readings there are of each kind."""
        return Counter(item.kind for item in self.found)

    def of(self, kind: str) -> list[dict[str, Any]]:
        """Return the readings of a kind."""
        return [item.reading for item in self.found if item.kind == kind]

    def total(self, metric: str) -> float:
        """Return the sum of a metric, of values without another unit."""
        return sum(item.reading.get(metric, 0) for item in self.found)


def read(
    adapter: Adapter,
    body: bytes,
    zone: ZoneInfo | None = None,
    device_id: str | None = None,
    filename: str | None = None,
    **bounds: int,
) -> Read:
    """Read a file."""
    found: list[Found] = []
    rejected: list[Rejected] = []
    skipped: Counter[tuple[str, str]] = Counter()
    damage = None
    try:
        for item in adapter.read(io.BytesIO(body), ImportContext(zone, device_id, filename, **bounds)):
            match item:
                case Found():
                    found.append(item)
                case Skipped(kind, reason, times):
                    skipped[kind, reason] += times
                case Rejected():
                    rejected.append(item)
    except Damaged as damaged:
        damage = str(damaged)
    return Read(found, rejected, skipped, damage)
