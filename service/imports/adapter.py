"""The interface of an adapter: what it is given, and what it makes of a file.

An adapter is synchronous and reads in constant memory: the file may have gigabytes, and is read in a thread of its own.
It judges only the shape of the file. Values, units and moments are judged as those of any reading are, where its
readings are stored, so it passes on what the file says, each value in the unit that the file has it in.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, BinaryIO, Literal, NamedTuple, Protocol, TypeAlias
from zoneinfo import ZoneInfo

from service.errors import Fault, Invalid

Precision: TypeAlias = Literal["ns", "us", "ms", "s"]
MOST_UNPACKED = 4 * 1024**3


class Found(NamedTuple):
    """A reading: what the file calls its kind, the reading as JSON of the API without `user_id`, and its place."""

    kind: str
    reading: dict[str, Any]
    at: str


class Skipped(NamedTuple):
    """Records of a kind that are left out, though nothing is wrong with them: there is no metric, say."""

    kind: str
    reason: str
    times: int = 1


class Rejected(NamedTuple):
    """A record that is damaged: what is wrong, at which place of the file, and the value found there."""

    kind: str
    at: str
    problem: str
    value: Any = None


Item: TypeAlias = Found | Skipped | Rejected


class Damaged(Exception):
    """The file cannot be read on from some place; what came before it is good."""

    def __init__(self, at: str, problem: str) -> None:
        super().__init__(f"{at}: {problem}")
        self.at = at
        self.problem = problem


class Sample(NamedTuple):
    """What a format is recognized by."""

    head: bytes
    """The first bytes of the file, at most 64 KiB."""
    filename: str | None = None
    names: tuple[str, ...] = ()
    """Of a zip archive: the names of its first entries."""


@dataclass(frozen=True, slots=True)
class ImportContext:
    """What is known of a file besides its content."""

    zone: ZoneInfo | None = None
    """The clock of a file whose moments have no offset."""
    device_id: str | None = None
    """The device of readings for which the file names none."""
    filename: str | None = None
    most_unpacked: int = MOST_UNPACKED
    """Bytes that what the file holds compressed may have in all."""
    precision: Precision = "ns"
    """In what the timestamps of line protocol count, which a file of it does not say."""

    def require_zone(self) -> ZoneInfo:
        """Return the zone of the clock; Invalid where it is not known."""
        if self.zone is None:
            raise Invalid(
                "The file has moments without an offset; add tz, the time zone of the device's clock.",
                [Fault(at="tz", problem="is needed for this format, such as Europe/Berlin", value=None)],
            )
        return self.zone

    def of_clock(self, clock: datetime) -> str:
        """Write a moment as UTC, of a time that a clock without an offset showed.

        Of an hour that comes twice, the first is meant. A time that a clock skips is read by the offset before it.
        """
        moment = clock.replace(tzinfo=self.require_zone()).astimezone(UTC)
        return moment.replace(tzinfo=None).isoformat() + "Z"

    def on_device(self, reading: dict[str, Any]) -> dict[str, Any]:
        """Add the device to a reading that names none, where one was given; return the reading."""
        if self.device_id is not None and not reading.get("device_id"):
            reading["device_id"] = self.device_id
        return reading


class Adapter(Protocol):
    """A format: what it is called, how it is recognized, and how it is read."""

    @property
    def name(self) -> str:
        """Its name in a URL, such as apple-health."""

    @property
    def title(self) -> str:
        """What it is, in a few words."""

    def sniffs(self, sample: Sample) -> bool:
        """Return whether a file is of this format, by what it begins with; files of other formats are not."""

    def read(self, source: BinaryIO, context: ImportContext) -> Iterator[Item]:
        """Yield what a file holds, from its beginning; the file can seek.

        Invalid where it cannot be read at all, Damaged where it cannot be read on.
        """
