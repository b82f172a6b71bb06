"""Gadgetbridge's database: SQLite, with tables of samples for each family of devices."""

from __future__ import annotations

import re
import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from itertools import islice
from math import isfinite
from os import SEEK_END
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, Any, BinaryIO, Final, NamedTuple
from zoneinfo import ZoneInfo

from service.errors import Invalid
from service.imports.adapter import Damaged, Found, ImportContext, Item, Rejected, Sample, Skipped
from service.imports.archive import entries, is_zip
from service.imports.json_records import shown
from service.imports.moments import of_epoch, written

MAGIC = b"SQLite format 3\x00"
HEADER = 100  # bytes
IN_ARCHIVE = "Gadgetbridge"
NAME = re.compile(r"[A-Z][A-Z0-9_]{0,99}", re.ASCII)
LONGEST_NAME = 100
MOST_DEVICES = 10_000  # whose names are looked at
MOST_VALUE = 1024 * 1024  # bytes
MOST_STATEMENT = 64 * 1024
MOST_COLUMNS = 200
JUST_BEFORE = timedelta(microseconds=1)
MAY_CALL = frozenset(("count",))


class Column(NamedTuple):
    """A column that is measured: the metric, and which values are measurements; others say that there was none."""

    metric: str
    lowest: float
    highest: float = float("inf")
    divisor: int = 1


STEPS = Column("steps", 0)
HEART_RATE = Column("heart_rate", 10, 250)  # as Gadgetbridge itself judges: 255, -1 and 0 are none
SPO2 = Column("spo2", 1)

OF_ACTIVITY: Final[Mapping[str, Column]] = {"STEPS": STEPS, "HEART_RATE": HEART_RATE}
"""What the tables of activity have, whatever the device; their timestamps count seconds."""

FURTHER: Final[Mapping[str, Mapping[str, Column]]] = {
    "GARMIN_ACTIVITY_SAMPLE": {
        "DISTANCE_CM": Column("distance", 0, divisor=100),
        "ACTIVE_CALORIES": Column("active_energy", 0),
    },
    "XIAOMI_ACTIVITY_SAMPLE": {"SPO2": SPO2},
    "HUAWEI_ACTIVITY_SAMPLE": {"DISTANCE": Column("distance", 0), "SPO": SPO2},
    "FIT_PRO_ACTIVITY_SAMPLE": {
        "DISTANCE_METERS": Column("distance", 0),
        "SPO2_PERCENT": SPO2,
        "PRESSURE_LOW_MM_HG": Column("bp_diastolic", 1),
        "PRESSURE_HIGH_MM_HG": Column("bp_systolic", 1),
    },
}
"""Further columns of some tables of activity, of which the unit is known."""

CUMULATIVE = frozenset(("GARMIN_ACTIVITY_SAMPLE", "CMF_ACTIVITY_SAMPLE"))
"""The tables whose amounts are counted from midnight on the phone's clock."""

SUMS = frozenset(("steps", "distance", "active_energy"))

OF_MOMENTS: Final = (
    (re.compile(r".*_SPO2_SAMPLE"), {"SPO2": SPO2}),
    (re.compile(r".*_HEART_RATE_RESTING_SAMPLE"), {"HEART_RATE": Column("resting_heart_rate", 10, 250)}),
    (re.compile(r".*_HEART_RATE(_MANUAL)?_SAMPLE"), {"HEART_RATE": HEART_RATE}),
    (
        re.compile(r".*_RESPIRATORY_RATE_SAMPLE"),
        {"RATE": Column("respiratory_rate", 1), "RESPIRATORY_RATE": Column("respiratory_rate", 1)},
    ),
    (re.compile(r".*_WEIGHT_SAMPLE"), {"WEIGHT_KG": Column("body_weight", 1)}),
    (re.compile(r"GARMIN_STRESS_SAMPLE"), {"STRESS": Column("garmin:stress", 0)}),
    (re.compile(r"GARMIN_HRV_VALUE_SAMPLE"), {"VALUE": Column("hrv_rmssd", 1)}),
)
"""Tables of single measurements, whose timestamps count milliseconds."""

NEITHER = frozenset(("TIMESTAMP", "DEVICE_ID", "USER_ID", "OTHER_TIMESTAMP", "DURATION"))


class Table(NamedTuple):
    """A table that has measurements."""

    name: str
    columns: Mapping[str, Column]
    per_second: int
    end: str | None
    """The column that says when the amounts of a row end, or for how many seconds they are."""

    @property
    def read_columns(self) -> tuple[str, ...]:
        """The names of the columns that are read."""
        return ("TIMESTAMP", "DEVICE_ID", *((self.end,) if self.end else ()), *self.columns)


class Gadgetbridge:
    """A row becomes a reading; amounts counted from midnight become what was added from row to row."""

    name = "gadgetbridge"
    title = "the database that Gadgetbridge exports, or the zip archive of it"

    def sniffs(self, sample: Sample) -> bool:
        """Return whether a file is SQLite, or an archive that has the database."""
        return sample.head.startswith(MAGIC) or any(map(is_database, sample.names))

    def read(self, source: BinaryIO, context: ImportContext) -> Iterator[Item]:
        """Yield what each table holds; one that cannot be read on ends nothing but itself."""
        with opened(source, context) as (database, missing):
            tables = list(tables_of(database))
            if not tables:
                raise Invalid("The database has no tables of Gadgetbridge with measurements.")
            if any(isinstance(table, Table) and table.name in CUMULATIVE for table in tables):
                context.require_zone()
            devices = devices_of(database)
            for table in tables:
                if isinstance(table, Table):
                    yield from guarded(table, rows_of(database, table, devices, context))
                else:
                    yield table
            if missing:
                raise Damaged("the database", f"is not complete: its last {missing} bytes are missing")


def is_database(name: str) -> bool:
    """Return whether a file of an archive is the database."""
    return name.rpartition("/")[2] == IN_ARCHIVE


@contextmanager
def opened(source: BinaryIO, context: ImportContext) -> Iterator[tuple[sqlite3.Connection, int]]:
    """Open a copy of a database for reading, since SQLite takes a file by its name; and say how many bytes it lacks."""
    with NamedTemporaryFile(prefix="hyperpulse-", suffix=".sqlite") as copy:
        if is_zip(source):
            for entry in entries(source, is_database, context.most_unpacked):
                with entry.open() as unpacked:
                    shutil.copyfileobj(unpacked, copy)
                break
            else:
                raise Invalid("The archive has no database of Gadgetbridge.")
        else:
            source.seek(0)
            shutil.copyfileobj(source, copy)
        missing = completed(copy.file, context.most_unpacked)
        uri = f"{Path(copy.name).as_uri()}?mode=ro&immutable=1"
        with closing(sqlite3.connect(uri, uri=True, check_same_thread=False, isolation_level=None)) as database:
            restrict(database)
            yield database, missing


def completed(copy: IO[bytes], most: int) -> int:
    """Add the pages that a database lacks by its header, empty, and return how many bytes these are.

    SQLite opens none that is cut, but reads up to a page that is empty.
    """
    has = copy.seek(0, SEEK_END)
    copy.seek(0)
    header = copy.read(HEADER)
    page = int.from_bytes(header[16:18], "big")
    announced = (65536 if page == 1 else page) * int.from_bytes(header[28:32], "big")
    if not has < announced <= most:
        copy.flush()
        return 0
    copy.truncate(announced)
    copy.flush()
    return announced - has


def restrict(database: sqlite3.Connection) -> None:
    """Allow nothing but reading: the file may be made to do harm."""
    database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MOST_VALUE)
    database.setlimit(sqlite3.SQLITE_LIMIT_SQL_LENGTH, MOST_STATEMENT)
    database.setlimit(sqlite3.SQLITE_LIMIT_COLUMN, MOST_COLUMNS)
    database.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    for setting in ("trusted_schema = OFF", "cell_size_check = ON", "query_only = ON", "mmap_size = 0"):
        database.execute(f"PRAGMA {setting}")
    database.set_authorizer(authorize)


def authorize(action: int, first: str | None, second: str | None, _database: str | None, _trigger: str | None) -> int:
    """Allow to read tables, to ask for their columns, and to count."""
    allowed = (
        action in (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ)
        or (action == sqlite3.SQLITE_PRAGMA and first == "table_info")
        or (action == sqlite3.SQLITE_FUNCTION and second in MAY_CALL)
    )
    return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY


def tables_of(database: sqlite3.Connection) -> Iterator[Table | Skipped | Rejected]:
    """Yield the tables that have measurements, and what is left out; Damaged where the database cannot be read."""
    try:
        found = database.execute("SELECT name, type, rootpage, sql FROM sqlite_master ORDER BY name").fetchall()
    except sqlite3.Error as error:
        raise Damaged("the database", f"cannot be read: {error}") from None
    for name, kind, page, statement in found:
        if not isinstance(name, str) or not NAME.fullmatch(name) or kind not in ("table", "view"):
            continue
        # A virtual table runs code on being read; a table of the file has a page that it begins at.
        if kind == "view" or not page or "VIRTUAL" in str(statement).upper():
            yield Skipped(name, "is no table")
            continue
        try:
            yield from table_of(database, name)
        except sqlite3.Error as error:
            yield Rejected(name, name, f"cannot be read: {error}")


def table_of(database: sqlite3.Connection, name: str) -> Iterator[Table | Skipped]:
    """Yield what is read of a table, and what is not; nothing for one that has no moments, or no rows.

    A database has the tables of all devices that Gadgetbridge knows.
    """
    columns = {row[1] for row in database.execute(f"PRAGMA table_info({name})")}
    if "TIMESTAMP" not in columns or database.execute(f"SELECT 1 FROM {name} LIMIT 1").fetchone() is None:  # noqa: S608 - the name is one
        return
    is_of_activity = name.endswith("ACTIVITY_SAMPLE")
    known = {**OF_ACTIVITY, **FURTHER.get(name, {})} if is_of_activity else of_moments(name)
    measured = {column: metric for column, metric in known.items() if column in columns}
    if not measured or "DEVICE_ID" not in columns:
        (count,) = database.execute(f"SELECT count(*) FROM {name}").fetchone()  # noqa: S608 - the name is one
        yield Skipped(name, "there is no metric for this table", count)
        return
    end = next((column for column in ("OTHER_TIMESTAMP", "DURATION") if is_of_activity and column in columns), None)
    yield Table(name, measured, 1 if is_of_activity else 1000, end)
    others = sorted(column for column in columns - measured.keys() - NEITHER if NAME.fullmatch(str(column)))
    if others:
        yield Skipped(name, f"there is no metric for its columns {', '.join(others)}"[:500])


def of_moments(name: str) -> Mapping[str, Column]:
    """Return the columns of a table of single measurements."""
    return next((columns for pattern, columns in OF_MOMENTS if pattern.fullmatch(name)), {})


def devices_of(database: sqlite3.Connection) -> dict[int, str]:
    """Return what the devices are called, by their numbers: a name and the address that never changes."""
    try:
        # Row by row and no more than a person has: each name may be as long as a value may be.
        rows = islice(database.execute("SELECT _id, NAME, IDENTIFIER FROM DEVICE"), MOST_DEVICES)
        return {
            key: f"{name[:LONGEST_NAME]} ({identifier[:20]})"
            for key, name, identifier in rows
            if isinstance(key, int) and isinstance(name, str) and isinstance(identifier, str)
        }
    except sqlite3.Error:
        return {}


def guarded(table: Table, rows: Iterator[Item]) -> Iterator[Item]:
    """Yield what a table holds, up to where it cannot be read on."""
    try:
        yield from rows
    except sqlite3.Error as error:
        yield Rejected(table.name, table.name, f"cannot be read on: {error}")


def rows_of(
    database: sqlite3.Connection, table: Table, devices: Mapping[int, str], context: ImportContext
) -> Iterator[Item]:
    """Yield what the rows of a table hold."""
    is_cumulative = table.name in CUMULATIVE
    order = " ORDER BY DEVICE_ID, TIMESTAMP" if is_cumulative else ""
    wanted = ", ".join(table.read_columns)
    counters: dict[str, Counter] = {}
    before: Any = None
    for values in database.execute(f"SELECT {wanted} FROM {table.name}{order}"):  # noqa: S608 - both are names
        row = dict(zip(table.read_columns, values, strict=True))
        seconds, device = row["TIMESTAMP"], row["DEVICE_ID"]
        at = f"{table.name} {shown(seconds)}"
        if not isinstance(seconds, int) or not isinstance(device, int):
            yield Rejected(table.name, at, "must have a number as its TIMESTAMP and DEVICE_ID")
            continue
        if device != before:
            counters, before = {}, device
        try:
            moment = of_epoch(seconds, table.per_second)
            measured = measured_in(table, row)
            if not measured:
                continue
            reading = {"device_id": devices.get(device, context.device_id or f"Gadgetbridge {device}")}
            if is_cumulative:
                yield from added(table, reading, counters, measured, moment, context, at)
            else:
                yield from instant(table, reading, row, measured, moment, at)
        except ValueError as error:
            yield Rejected(table.name, at, str(error))


def measured_in(table: Table, row: Mapping[str, Any]) -> dict[str, int | float]:
    """Return the measurements of a row, by their metrics; ValueError for what is no number."""
    measured: dict[str, int | float] = {}
    for name, column in table.columns.items():
        value = row[name]
        if value is None:
            continue
        if not isinstance(value, int | float) or not isfinite(value):
            raise ValueError(f"must have a number as its {name}")
        if column.lowest <= value <= column.highest:
            measured[column.metric] = value if column.divisor == 1 else value / column.divisor
    return measured


def instant(
    table: Table,
    reading: dict[str, Any],
    row: Mapping[str, Any],
    measured: dict[str, int | float],
    moment: datetime,
    at: str,
) -> Iterator[Item]:
    """Yield the reading of a row, whose amounts may be of an interval."""
    reading |= {"timestamp": written(moment)}
    seconds = 0
    if table.end is not None:
        value = row[table.end]
        if not isinstance(value, int):
            raise ValueError(f"must have a number as its {table.end}")
        seconds = value - row["TIMESTAMP"] if table.end == "OTHER_TIMESTAMP" else value
        if seconds < 0:  # the row marks the end of what another has
            return
    if seconds:
        sums = {metric: value for metric, value in measured.items() if metric in SUMS}
        measured = {metric: value for metric, value in measured.items() if metric not in SUMS}
        if sums:
            yield Found(table.name, {**reading, "end": written(of_epoch(row["TIMESTAMP"] + seconds)), **sums}, at)
    if measured:
        yield Found(table.name, reading | measured, at)


class Counter(NamedTuple):
    """An amount that was counted from midnight, as it was last seen."""

    moment: datetime
    amount: int | float


def added(
    table: Table,
    reading: dict[str, Any],
    counters: dict[str, Counter],
    measured: dict[str, int | float],
    moment: datetime,
    context: ImportContext,
    at: str,
) -> Iterator[Item]:
    """Yield what was added since the row before, or since midnight, and what was measured beside it."""
    midnight = midnight_before(moment - JUST_BEFORE, context.require_zone())  # midnight itself ends a day
    by_start: dict[datetime, dict[str, int | float]] = {}
    for metric in [metric for metric in measured if metric in SUMS]:
        amount = measured.pop(metric)
        last = counters.get(metric)
        if last is None or last.moment < midnight:
            last = Counter(midnight, 0)
        counters[metric] = Counter(moment, amount)
        if last.moment < moment:
            more = amount - last.amount if amount >= last.amount else amount  # it was set to zero between them
            by_start.setdefault(last.moment, {})[metric] = round(more, 6) if isinstance(more, float) else more
    for start, amounts in by_start.items():
        yield Found(table.name, {**reading, "timestamp": written(start), "end": written(moment), **amounts}, at)
    if measured:
        yield Found(table.name, {**reading, "timestamp": written(moment), **measured}, at)


def midnight_before(moment: datetime, zone: ZoneInfo) -> datetime:
    """Return the beginning of the day of a clock."""
    return moment.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0, fold=0).astimezone(UTC)
