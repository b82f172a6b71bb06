"""The formats that are known, and which of them a file has."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import BinaryIO

from service.errors import Fault, Invalid
from service.imports.adapter import Adapter, Damaged, Sample
from service.imports.apple_health import AppleHealth
from service.imports.archive import MAGIC, open_archive
from service.imports.fhir import Fhir
from service.imports.fitbit import Fitbit
from service.imports.gadgetbridge import Gadgetbridge
from service.imports.garmin_fit import GarminFit
from service.imports.health_auto_export import HealthAutoExport
from service.imports.health_connect import HealthConnect
from service.imports.line_protocol import LineProtocol
from service.imports.open_mhealth import OpenMHealth

HEAD = 64 * 1024  # bytes
MOST_NAMES = 1_000
AUTO = "auto"

ADAPTERS: tuple[Adapter, ...] = (
    AppleHealth(),
    HealthAutoExport(),
    HealthConnect(),
    Fitbit(),
    Fhir(),
    OpenMHealth(),
    GarminFit(),
    Gadgetbridge(),
    LineProtocol(),
)
"""In the order in which they are asked; a module each."""


def by_name() -> Mapping[str, Adapter]:
    """Return the adapters by their names."""
    return {adapter.name: adapter for adapter in ADAPTERS}


def require_known(name: str) -> str:
    """Return the name of a format, or `auto`; Invalid where there is none of that name."""
    if name != AUTO and name not in by_name():
        raise unknown(Fault(at="format", problem=f"must be one of {', '.join(by_name())} and {AUTO}", value=name))
    return name


def choose(name: str, source: BinaryIO, filename: str | None = None) -> Adapter:
    """Return the adapter of a format, or for `auto`, of a file; Invalid where there is none."""
    if require_known(name) != AUTO:
        return by_name()[name]
    sample = take_sample(source, filename)
    for adapter in ADAPTERS:
        if adapter.sniffs(sample):
            return adapter
    raise unknown()


def unknown(*faults: Fault) -> Invalid:
    """Say which formats are known."""
    known = "; ".join(f"{one.name}: {one.title}" for one in ADAPTERS)
    return Invalid(f"The file has none of the known shapes. These are {known}.", faults)


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
