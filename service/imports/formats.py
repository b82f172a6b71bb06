"""The formats that are known, and which of them a file has."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import BinaryIO

from service.errors import Fault, Invalid
from service.imports.adapter import Adapter, Damaged, Sample
from service.imports.archive import MAGIC, open_archive

HEAD = 64 * 1024  # bytes
MOST_NAMES = 1_000
AUTO = "auto"

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
    if head.startswith(MAGIC):
        with suppress(Damaged), open_archive(source) as archive:
            names = tuple(archive.namelist()[:MOST_NAMES])
    source.seek(0)
    return Sample(head, filename, names)
