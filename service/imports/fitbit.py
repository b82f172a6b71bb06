"""Fitbit: what Google Takeout gives, an archive or one of its files, JSON and CSV.

What a file holds is said by its name, so a single file needs one. Of what the archive has twice, as JSON and as CSV,
one is read: the CSV names the device and has moments with an offset. Moments without one are in UTC in some families of
files, and of the person's clock in others, which is given.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from math import isnan
from pathlib import PurePosixPath
from typing import Any, BinaryIO, Final, NamedTuple

from service.errors import Fault, Invalid
from service.imports.adapter import Damaged, Found, ImportContext, Item, Rejected, Sample, Skipped
from service.imports.archive import entries, is_zip, open_archive
from service.imports.json_stream import ANY, place, values_at

LONGEST_ROW = 64 * 1024  # characters
ROOTS = frozenset(("Fitbit", "Google Health"))
FOLDERS = frozenset(
    ("Global Export Data", "Physical Activity_GoogleData", "TIMESERIES_GoogleData", "Heart Rate Variability")
)
CLOCK = "%m/%d/%y %H:%M:%S"
WITH_OFFSET = re.compile(r"(Z|[+-]\d\d:?\d\d)$")
DATED = re.compile(r"^(?P<family>.*?)(?:[-_ ]+\(?\d.*)?$")
NO_METRIC = "has no metric"
TWIN = "stands in the CSV of the archive, too"


class Series(NamedTuple):
    """A family of files of JSON: the metric, and how a value of it is read."""

    metric: str
    read: Callable[[Any], Any]


class Table(NamedTuple):
    """A family of files of CSV: the metric, its column, and the unit where that is not the metric's.

    `nothing` is what stands where there was no value; values are divided by `divisor`.
    """

    metric: str
    column: str
    unit: str | None = None
    nothing: float | None = None
    divisor: int = 1


def number(value: Any) -> float | int | None:
    """Read a number, which Fitbit often writes as text; None where there is none, which it writes as NaN, too."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    text = str(value).strip()
    try:
        return int(text) if text.isdecimal() else float(text)
    except ValueError:
        return None


def of_centimetres(value: Any) -> Any:
    """Read a distance, which the JSON has in centimetres."""
    read = number(value)
    return None if read is None else {"value": read / 100, "unit": "m"}


def beats(value: Any) -> Any:
    """Read a heart rate."""
    return number(value.get("bpm")) if isinstance(value, dict) else None


def resting(value: Any) -> Any:
    """Read the resting heart rate of a day, which is 0 on days without one."""
    return number(value.get("value")) or None if isinstance(value, dict) else None


def smoothed(value: Any) -> Any:
    """Read the maximal oxygen uptake of a day, of which the app shows the smoothed one."""
    return number(value.get("filteredDemographicVO2Max")) or None if isinstance(value, dict) else None


def of_run(value: Any) -> Any:
    """Read the maximal oxygen uptake of a run, of which there is a smoothed one, too."""
    return number(value.get("filteredRunVO2Max")) or None if isinstance(value, dict) else None


JSON_FILES: Final = {
    "steps": Series("steps", number),
    "distance": Series("distance", of_centimetres),
    "calories": Series("calories", number),
    "heart_rate": Series("heart_rate", beats),
    "resting_heart_rate": Series("resting_heart_rate", resting),
    "demographic_vo2_max": Series("vo2max", smoothed),
    "run_vo2_max": Series("vo2max", of_run),
}
OF_DAYS: Final = frozenset(("resting_heart_rate", "demographic_vo2_max"))
"""Series that have days without a value."""
CSV_FILES: Final = {
    "steps": Table("steps", "steps"),
    "distance": Table("distance", "distance"),
    "calories": Table("calories", "calories"),
    "floors": Table("floors", "floors"),
    "heart_rate": Table("heart_rate", "beats per minute"),
    "daily_resting_heart_rate": Table("resting_heart_rate", "beats per minute", nothing=0),
    "oxygen_saturation": Table("spo2", "oxygen saturation percentage", nothing=50),
    "Minute SpO2": Table("spo2", "value", nothing=50),
    "heart_rate_variability": Table("hrv_rmssd", "root mean square of successive differences ms"),
    "Heart Rate Variability Details": Table("hrv_rmssd", "rmssd"),
    "weight": Table("body_weight", "weight grams", "g"),
    "height": Table("body_height", "height millimeters", "mm"),
    "altitude": Table("elevation_gain", "gain", divisor=1000),
    "active_energy_burned": Table("active_energy", "kilocalories"),
    "run_vo2max": Table("vo2max", "run vo2 max", nothing=0),
    "demographic_vo2max": Table("vo2max", "demographic vo2max", nothing=0),
    "swim_lengths_data": Table("swim_strokes", "stroke count"),
    "body_fat": Table("body_fat", "body fat percentage"),
    "daily_respiratory_rate": Table("respiratory_rate", "breaths per minute"),
}
# What is left out although there is a metric.
REASONS: Final[dict[tuple[str, str], str]] = {
    ("json", "weight"): "does not say its unit",
    ("csv", "resting_heart_rate"): "stands in daily_resting_heart_rate, too",
    ("csv", "respiratory_rate_sleep_summary"): "stands in daily_respiratory_rate, too",
    ("csv", "live_pace"): "stands in steps and distance, too",
    ("csv", "daily_heart_rate_variability"): "is the average of a night; heart_rate_variability has what was measured",
    ("csv", "daily_oxygen_saturation"): "is the average of a night; oxygen_saturation has what was measured",
}
# Of two families of CSV with the same values, the one that is read.
BETTER: Final = {"Minute SpO2": "oxygen_saturation", "Heart Rate Variability Details": "heart_rate_variability"}
IN_UTC: Final = frozenset(("steps", "distance", "heart_rate", "run_vo2_max"))
"""Families of JSON whose moments are in UTC, though they do not say so; those of the others are of a clock."""
WITHOUT_OFFSET: Final = frozenset(
    [("csv", "Heart Rate Variability Details"), *(("json", name) for name in JSON_FILES if name not in IN_UTC)]
)
TWINS: Final = {
    "resting_heart_rate": "daily_resting_heart_rate",
    "demographic_vo2_max": "demographic_vo2max",
    "run_vo2_max": "run_vo2max",
}
"""What a family of JSON is called as CSV, where it is called otherwise."""


class File(NamedTuple):
    """A file by its name: json or csv, and the family, which is its name without the date."""

    kind: str
    family: str

    @property
    def is_known(self) -> bool:
        """Whether it is read."""
        return self.family in (JSON_FILES if self.kind == "json" else CSV_FILES)

    @property
    def name(self) -> str:
        """What its records are counted by."""
        return f"{self.family} ({self.kind.upper()})"


class Fitbit:
    """The data of Fitbit in Google Takeout."""

    name = "fitbit"
    title = "Fitbit by Google Takeout, the zip or one of its JSON and CSV files with its filename"

    def sniffs(self, sample: Sample) -> bool:
        """Return whether it is an archive with the folders of Fitbit, or named and written as one of its files."""
        if sample.names:
            return any(is_of_fitbit(name) for name in sample.names)
        file = file_of(sample.filename or "")
        if file is None or not file.is_known:
            return False
        start = sample.head.lstrip(b"\xef\xbb\xbf \t\r\n")
        return (
            start.startswith(b"[") and b'"dateTime"' in start
            if file.kind == "json"
            else start.startswith(b"timestamp,")
        )

    def read(self, source: BinaryIO, context: ImportContext) -> Iterator[Item]:
        """Yield the records of a file, or of all files of an archive."""
        if is_zip(source):
            yield from read_archive(source, context)
            return
        file = file_of(context.filename or "")
        if file is None or not file.is_known:
            reason = REASONS.get(file) if file else None
            raise Invalid(
                "What a file of Fitbit holds is said by its name alone; add filename, such as steps-2025-01-15.json.",
                [
                    Fault(
                        at="filename",
                        problem=f"is of a file that {reason}" if reason else "must be the name of a known file",
                        value=context.filename,
                    )
                ],
            )
        if file in WITHOUT_OFFSET:
            context.require_zone()
        yield from read_file(file, source, "", context)


def is_of_fitbit(name: str) -> bool:
    """Return whether a file lies where Takeout puts those of Fitbit."""
    parts = PurePosixPath(name).parts[:-1]
    return bool(ROOTS.intersection(parts[:2]) or FOLDERS.intersection(parts))


def file_of(name: str) -> File | None:
    """Return what a file is by its name; None where it is neither JSON nor CSV."""
    path = PurePosixPath(name.replace("\\", "/"))
    kind = path.suffix.lower().removeprefix(".")
    found = DATED.match(path.stem)
    return File(kind, found["family"]) if kind in ("json", "csv") and found else None


def read_archive(source: BinaryIO, context: ImportContext) -> Iterator[Item]:
    """Yield the records of the files of an archive, and what of it is left out."""
    with open_archive(source) as archive:
        names = [name for name in archive.namelist() if not name.endswith("/") and is_of_fitbit(name)]
    files = {name: file_of(name) for name in names}
    there = {file for file in files.values() if file is not None}
    left_out: Counter[tuple[str, str]] = Counter()
    wanted: dict[str, File] = {}
    for name, file in files.items():
        reason = why_left_out(file, there)
        if file is not None and reason is None:
            wanted[name] = file
        elif reason is not None:
            left_out[file.name if file else PurePosixPath(name).suffix or "a file", reason] += 1
    if any(file in WITHOUT_OFFSET for file in wanted.values()):
        context.require_zone()
    for entry in entries(source, wanted.__contains__, context.most_unpacked):
        file = wanted[entry.name]
        try:
            with entry.open() as opened:
                yield from read_file(file, opened, f"{PurePosixPath(entry.name).name[:100]}: ", context)
        except Damaged as damaged:
            yield Rejected(file.name, damaged.at, damaged.problem)
    for (kind, reason), times in left_out.items():
        yield Skipped(kind, f"{reason} (files)", times)


def why_left_out(file: File | None, there: set[File]) -> str | None:
    """Return why a file of an archive is not read; None where it is."""
    if file is None:
        return "is neither JSON nor CSV"
    if file in REASONS:
        return REASONS[file]
    if not file.is_known:
        return NO_METRIC
    if file.kind == "json":
        return TWIN if File("csv", TWINS.get(file.family, file.family)) in there and file.family != "calories" else None
    if file == ("csv", "calories") and File("json", "calories") in there:
        return "may leave out minutes at rest; the JSON has them"
    better = BETTER.get(file.family)
    return f"stands in {better}, too" if better and File("csv", better) in there else None


def read_file(file: File, source: BinaryIO, prefix: str, context: ImportContext) -> Iterator[Item]:
    """Yield the records of a file; `prefix` stands before their places."""
    read = read_series if file.kind == "json" else read_table
    try:
        yield from read(file, source, prefix, context)
    except Damaged as damaged:
        raise Damaged(f"{prefix}{damaged.at}", damaged.problem) from None


def read_series(file: File, source: BinaryIO, prefix: str, context: ImportContext) -> Iterator[Item]:
    """Yield the records of a file of JSON: moments, and values."""
    series = JSON_FILES[file.family]
    latest = ""
    for path, record in values_at(source, (ANY,)):
        at = f"{prefix}{place(path)}"
        if not isinstance(record, dict):
            yield Rejected(file.name, at, "is no record", record)
            continue
        value = series.read(record.get("value"))
        if value is None and file.family in OF_DAYS:
            yield Skipped(file.name, "is of a day without a value")
            continue
        if value is None:
            yield Rejected(file.name, at, "has no number in value", record.get("value"))
            continue
        try:
            clock = datetime.strptime(str(record.get("dateTime")), CLOCK)
            moment = f"{clock.isoformat()}Z" if file.family in IN_UTC else context.of_clock(clock)
        except (ValueError, OverflowError):
            yield Rejected(file.name, at, "has no moment in dateTime", record.get("dateTime"))
            continue
        if file.family in IN_UTC and moment <= latest and number(record.get("value")) == 0:
            yield Skipped(file.name, "is 0 for a minute that stands before")  # and was counted there
            continue
        latest = max(latest, moment)
        yield Found(file.name, context.on_device({"timestamp": moment, series.metric: value}), at)


def read_table(file: File, source: BinaryIO, prefix: str, context: ImportContext) -> Iterator[Item]:
    """Yield the records of a file of CSV."""
    table = CSV_FILES[file.family]
    text = io.TextIOWrapper(source, encoding="utf-8-sig", newline="")
    try:
        rows = csv.reader(bounded(text))
        header = [name.strip().lower() for name in next(rows, [])]
        if "".join(header) in ("", "no data"):
            yield Skipped(file.name, "is empty")
            return
        if "timestamp" not in header or table.column not in header:
            raise Damaged("line 1", f"has no column {table.column!r} beside timestamp")
        for row in rows:
            if row:
                yield read_row(
                    file, table, dict(zip(header, row, strict=False)), f"{prefix}line {rows.line_num}", context
                )
    except (UnicodeDecodeError, csv.Error) as error:
        raise Damaged("the file", f"cannot be read on: {error}") from None
    finally:
        text.detach()


def bounded(text: io.TextIOWrapper) -> Iterator[str]:
    """Yield lines, none of which may be very long."""
    while line := text.readline(LONGEST_ROW):
        if len(line) == LONGEST_ROW:
            raise Damaged("the file", f"has a line of more than {LONGEST_ROW} characters")
        yield line


def read_row(file: File, table: Table, row: dict[str, str], at: str, context: ImportContext) -> Item:
    """Return what a row of CSV is."""
    value = number(row.get(table.column))
    written = row.get("timestamp", "").strip()
    if value is None and (row.get(table.column) or "").strip():
        return Rejected(file.name, at, f"has no number in {table.column!r}", row.get(table.column))
    if value is None or isnan(value) or value == table.nothing:
        return Skipped(file.name, "has no value")
    if not WITH_OFFSET.search(written):
        try:
            written = context.of_clock(datetime.fromisoformat(written))
        except (ValueError, OverflowError):
            return Rejected(file.name, at, "has no moment in timestamp", written)
    if table.divisor != 1:
        value /= table.divisor
    field: Any = value if table.unit is None else {"value": value, "unit": table.unit}
    reading: dict[str, Any] = {"timestamp": written, table.metric: field}
    if source := row.get("data source", "").strip():
        reading["device_id"] = source
    return Found(file.name, context.on_device(reading), at)
