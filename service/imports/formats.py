"""The formats that are known, and which of them a file has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import BinaryIO
from zipfile import BadZipFile, ZipFile

from service.errors import Fault, Invalid
from service.imports.adapter import Adapter, Sample

HEAD = 64 * 1024  # bytes
MOST_NAMES = 1_000
AUTO = "auto"
ZIP = b"PK\x03\x04"

ADAPTERS: tuple[Adapter, ...] = ()
"""In the order in which they are asked; a module each."""


def by_name() -> Mapping[str, Adapter]:
    """Return the adapters by their names."""
    return {adapter.name: adapter for adapter in ADAPTERS}


def choose(name: str, source: BinaryIO, filename: str | None = None) -> Adapter:
    """Return the adapter of a format, or for `auto`, of a file; Invalid where there is none."""
    known = by_name()
    if name != AUTO:
        if name not in known:
            raise unknown(Fault(at="format", problem=f"must be {listed()}", value=name[:100]))
        return known[name]
    sample = take_sample(source, filename)
    for adapter in ADAPTERS:
        if adapter.sniffs(sample):
            return adapter
    raise unknown()


def unknown(*faults: Fault) -> Invalid:
    """Say which formats are known."""
    return Invalid(
        "The file has none of the known shapes: " + "; ".join(f"{one.name}: {one.title}" for one in ADAPTERS) + ".",
        faults,
    )


def listed() -> str:
    """List the names that may be asked for."""
    return f"one of {', '.join(one.name for one in ADAPTERS)} and {AUTO}"


def take_sample(source: BinaryIO, filename: str | None) -> Sample:
    """Read what a format is recognized by, and go back to the beginning."""
    source.seek(0)
    head = source.read(HEAD)
    names: tuple[str, ...] = ()
    if head.startswith(ZIP):
        try:
            with ZipFile(source) as archive:
                names = tuple(archive.namelist()[:MOST_NAMES])
        except (BadZipFile, ValueError, NotImplementedError, EOFError):
            names = ()
    source.seek(0)
    return Sample(head, filename, names)
