"""Apple Health: what "Export All Health Data" writes, export.zip or the XML document in it.

Of the document, records at its top level are read, and blood pressures as pairs. By the document's own definition, a
record that is part of a correlation stands at the top level, too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any, BinaryIO, Final
from xml.parsers.expat import ExpatError, ParserCreate

from service.errors import Invalid
from service.imports.adapter import Damaged, Found, ImportContext, Item, Rejected, Sample, Skipped
from service.imports.archive import entries, is_zip, open_archive
from service.imports.healthkit import LEVELS, SUMS, WholeCounts, moment_of, with_unit

PIECE = 64 * 1024  # bytes that are parsed at once
HEAD = 64 * 1024  # bytes that hold the document type definition, of some 10 KB
MOST_TOKEN = 1024 * 1024  # bytes of a tag, or a text
MOST_NAMES = 5_000  # of elements and attributes; documents have some two hundred
MOST_DEPTH = 50
NO_CHARACTERS: Final = bytes(sorted({*range(0x20)} - {*b"\t\n\r"}))
"""What XML allows nowhere, and Health writes as it stands in the names and notes of apps."""

QUANTITY = "HKQuantityTypeIdentifier"
BLOOD_PRESSURE = "HKCorrelationTypeIdentifierBloodPressure"
OTHERS: Final = {
    "Workout": "is a workout; its records are taken by themselves",
    "ActivitySummary": "sums up a day; the records of the day are taken",
    "ClinicalRecord": "is a clinical record",
    "Audiogram": "is an audiogram",
    "VisionPrescription": "is a prescription",
}
NO_METRIC = "has no metric"
AVERAGE = "is the average of a period, which is no measurement"


class AppleHealth:
    """The export of Apple's app Health."""

    name = "apple-health"
    title = "Apple Health, export.zip or the XML in it"

    def sniffs(self, sample: Sample) -> bool:
        """Return whether it is an archive with the folder of an export, or begins as the document does."""
        if sample.names:
            return any(PurePosixPath(name).parts[:1] == ("apple_health_export",) for name in sample.names)
        return b"<HealthData" in sample.head or b"<!DOCTYPE HealthData" in sample.head

    def read(self, source: BinaryIO, context: ImportContext) -> Iterator[Item]:
        """Yield the records of a document, or of that of an archive."""
        if not is_zip(source):
            yield from read_document(source, context)
            return
        found = False
        # The name of the document is in the language of the phone.
        for entry in entries(source, lambda name: name.lower().endswith(".xml"), context.most_unpacked):
            with entry.open() as document:
                is_export = b"HealthData" in document.read(PIECE)
            if is_export:
                found = True
                with entry.open() as document:
                    yield from read_document(document, context)
        if not found:
            raise Invalid("The archive has no document of Apple Health.")
        for folder, times in folders(source).items():
            yield Skipped(folder, "is no part of the document", times)


def folders(source: BinaryIO) -> Counter[str]:
    """Count the files that stand beside the document, by their folders: routes, electrocardiograms."""
    with open_archive(source) as archive:
        paths = [PurePosixPath(name).parts for name in archive.namelist() if not name.endswith("/")]
    return Counter(parts[1] for parts in paths if len(parts) > 2)


def read_document(source: BinaryIO, context: ImportContext) -> Iterator[Item]:
    """Yield the records of a document."""
    document = Document(context)
    piece = without_definition(source.read(HEAD))
    while True:
        damage = document.parse(piece)
        yield from document.taken()
        if damage is not None:
            raise damage
        if not piece:
            return
        piece = source.read(PIECE)


def without_definition(head: bytes) -> bytes:
    """Blank the document type definition: some releases wrote it malformed, and nothing in it is of use."""
    start = head.find(b"<!DOCTYPE")
    end = head.find(b"]>", start) + 2
    if start < 0 or end < 2:
        return head
    if b"<!ENTITY" in head[start:end]:
        raise Invalid("The document declares entities, which no export does.")
    return head[:start] + b"\n" * head.count(b"\n", start, end) + head[end:]


class Document:
    """A document as it is parsed."""

    def __init__(self, context: ImportContext) -> None:
        self.context = context
        self.items: list[Item] = []
        self.skipped: Counter[tuple[str, str]] = Counter()
        self.depth = 0
        self.fed = 0
        self.pair: dict[str, Any] | None = None
        """A blood pressure whose parts are being read."""
        self.pair_at = ""
        self.counts = WholeCounts()
        self.parser = ParserCreate()
        self.parser.buffer_text = False
        self.parser.StartElementHandler = self.start
        self.parser.EndElementHandler = self.end
        self.parser.StartDoctypeDeclHandler = self.refuse_definition

    def parse(self, piece: bytes) -> Damaged | None:
        """Parse some bytes, none at the end; return why the document cannot be read on."""
        try:
            self.parser.Parse(piece.translate(None, NO_CHARACTERS), not piece)
        except ExpatError as error:
            return Damaged(f"line {error.lineno}", f"is no XML: {str(error).split(':')[0]}")
        except Damaged as damaged:
            return damaged
        self.fed += len(piece)
        if self.fed - max(0, self.parser.CurrentByteIndex) > MOST_TOKEN or len(self.parser.intern) > MOST_NAMES:
            return Damaged(
                self.place(), "is no document of Apple Health: a tag or a text is too long, or too many names"
            )
        return None

    def taken(self) -> Iterator[Item]:
        """Yield what was found since the last time."""
        yield from self.items
        self.items = []
        for (kind, reason), times in self.skipped.items():
            yield Skipped(kind, reason, times)
        self.skipped.clear()

    def place(self) -> str:
        """Return where the parser is."""
        return f"line {self.parser.CurrentLineNumber}"

    def refuse_definition(self, _: str, system: str | None, public: str | None, is_internal: bool) -> None:
        """Refuse what may declare entities, which stand for any amount of text, or for other files."""
        if system or public or is_internal:
            raise Damaged(self.place(), "has a definition that is no export's")

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """Take an element."""
        self.depth += 1
        if self.depth == 2:
            if name == "Record":
                self.take(attributes)
            elif name == "Correlation":
                self.correlate(attributes)
            elif name in OTHERS:
                self.skipped[name, OTHERS[name]] += 1
        elif self.depth == 1:
            if name != "HealthData":
                raise Invalid(f"The document is no export of Apple Health: it begins with {name[:50]!r}.")
        elif self.depth == 3 and self.pair is not None and name == "Record":
            self.add_to_pair(attributes)
        elif self.depth > MOST_DEPTH:
            raise Damaged(self.place(), "is no document of Apple Health: it is nested too deeply")

    def end(self, _: str) -> None:
        """Leave an element."""
        self.depth -= 1
        if self.depth == 1 and self.pair is not None:
            if "bp_systolic" in self.pair or "bp_diastolic" in self.pair:
                self.items.append(Found(BLOOD_PRESSURE, self.pair, self.pair_at))
            self.pair = None

    def take(self, attributes: dict[str, str]) -> None:
        """Take a record."""
        kind = attributes.get("type")
        if kind is None:
            self.items.append(Rejected("Record", self.place(), "has no type"))
            return
        short = kind.removeprefix(QUANTITY)
        metric = SUMS.get(short)
        is_sum = metric is not None
        if metric is None:
            metric = LEVELS.get(short)
            if metric is None:
                self.skipped[kind, NO_METRIC] += 1
                return
        if "value" not in attributes and "average" in attributes:
            self.skipped[kind, AVERAGE] += 1
            return
        value = number(attributes)
        start = attributes.get("startDate")
        if value is None or start is None:
            wrong = "has no number in value" if value is None else "has no startDate"
            shown = attributes.get("value") if value is None else None
            self.items.append(Rejected(kind, self.place(), wrong, shown))
            return
        reading: dict[str, Any] = {"timestamp": moment_of(start)}
        self.name_device(reading, attributes)
        if is_sum:
            value = self.counts.whole(metric, reading.get("device_id"), value)
            end = attributes.get("endDate", start)
            if end != start:
                reading["end"] = moment_of(end)
        reading[metric] = with_unit(metric, value, attributes.get("unit", ""))
        self.items.append(Found(kind, reading, self.place()))

    def name_device(self, reading: dict[str, Any], attributes: dict[str, str]) -> None:
        """Name the device, which is the source of a record; iOS 8 called it so."""
        device = attributes.get("sourceName") or attributes.get("source") or self.context.device_id
        if device is not None:
            reading["device_id"] = device

    def correlate(self, attributes: dict[str, str]) -> None:
        """Begin a pair of blood pressures."""
        kind = attributes.get("type", "Correlation")
        if kind != BLOOD_PRESSURE:
            self.skipped[kind, "is a correlation; its records are taken by themselves"] += 1
            return
        self.pair = {"timestamp": moment_of(attributes.get("startDate", ""))}
        self.pair_at = self.place()
        self.name_device(self.pair, attributes)

    def add_to_pair(self, attributes: dict[str, str]) -> None:
        """Add a part to a pair of blood pressures."""
        metric = LEVELS.get(attributes.get("type", "").removeprefix(QUANTITY))
        if self.pair is not None and metric in ("bp_systolic", "bp_diastolic"):
            value = number(attributes)
            if value is not None:
                self.pair[metric] = with_unit(metric, value, attributes.get("unit", ""))


def number(attributes: dict[str, str]) -> float | None:
    """Return the value of a record; None where it is no number."""
    text = attributes.get("value", "")
    try:
        return int(text) if text.isdecimal() else float(text)
    except ValueError:
        return None
