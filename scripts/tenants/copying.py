"""Copies what is to be copied of a moving tenant: everything at first, and then, again and again, what has changed.

Each piece replaces what the target has of some users and a stretch of time, in one transaction, so that a piece may be
copied any number of times. What is done is noted in the source only afterwards.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple, TypeVar

import psycopg
from psycopg import sql

from scripts.tenants.databases import CannotMove, one
from scripts.tenants.names import Names
from service.database.schema import query

USERS_TOGETHER = 100
USER_DAYS_TOGETHER = 60  # of a reading a minute: a third of a second
RECENT_TOGETHER = 500  # users, of an hour or two
ENTRIES_TOGETHER = 100_000
EVENTS_TOGETHER = 2_000
ATTEMPTS = 20
NEVER, FOREVER = "-infinity", "infinity"

TABLES: dict[str, tuple[str, ...]] = {
    "reading": ("user_key", "device_key", "ts", "heart_rate", "steps", "calories"),
    "sample": ("user_key", "metric_key", "device_key", "ts", "value"),
    "interval": ("user_key", "metric_key", "device_key", "ts", "ends_at", "value", "version"),
    "worn_window": ("user_key", "device_key", "ts", "ends_at", "version"),
    "daily_total": ("user_key", "metric_key", "device_key", "ts", "ends_at", "value", "version"),
}
KEYS = {"user_key": "moved_user", "device_key": "moved_device", "metric_key": "moved_metric"}
PENDING = "SELECT entry, day::text, user_key FROM core.touched_day WHERE tenant_key = %s ORDER BY entry LIMIT %s"
EVENTS = (
    "SELECT event_id, source, event_type, ts, payload::text FROM core.event"
    " WHERE tenant_key = %s AND ts >= %s AND ts < %s"
)

T = TypeVar("T")


class Piece(NamedTuple):
    """What is copied in one transaction: users, by their keys in the source, and from when until when."""

    user_keys: list[int]
    start: str
    end: str


class Copying:
    """The copy of a tenant, from one session to another."""

    def __init__(self, names: Names, say: Callable[[str], None]) -> None:
        self.names = names
        self.source, self.target = names.source, names.target
        self.say = say
        self.touched: set[int] = set()
        """Users, by their keys in the source, who were written to below the horizon."""

    def pass_over(self) -> int:
        """Copy what is to be copied now; return how many notes of changes there were.

        What is above the horizon is not noted. Writers that did not note because of an earlier horizon have committed
        before a later one is read, so what they wrote is found from the earlier one on.
        """
        tenant_key = self.names.source_key
        row = one(
            self.source,
            "SELECT m.copied_until::text AS since, h.announced::text AS horizon"
            "  FROM core.moving_tenant AS m, core.horizon AS h WHERE m.tenant_key = %s",
            [tenant_key],
        )
        entries = self.source.execute(PENDING, [tenant_key, ENTRIES_TOGETHER]).fetchall()
        self.touched.update(entry["user_key"] for entry in entries if entry["user_key"] is not None)
        self.names.synchronize()
        self.copy_whole(entries)
        self.copy_days(entries)
        for user_keys in together(self.names.users, RECENT_TOGETHER):
            self.copy(Piece(user_keys, row["since"], FOREVER))
        self.copy_events(row["since"], FOREVER)
        if len(entries) < ENTRIES_TOGETHER:
            self.source.execute(
                "UPDATE core.moving_tenant SET copied_until = %s WHERE tenant_key = %s", [row["horizon"], tenant_key]
            )
        return len(entries)

    def copy_whole(self, entries: Sequence[dict[str, Any]]) -> None:
        """Copy everything of those users, and the events, of which that is noted."""
        whole = {entry["user_key"]: entry["entry"] for entry in entries if entry["day"] == NEVER}
        if None in whole:
            self.copy_events(NEVER, FOREVER)
            self.done([whole.pop(None)])
        copied = 0
        for user_keys in together(whole, USERS_TOGETHER):
            # Those that are not known any more were erased.
            known = [key for key in user_keys if key in self.names.users]
            nothing_there = self.names.fresh.issuperset(known)
            for piece in self.cut(known):
                self.copy(piece, nothing_there=nothing_there)
            self.names.fresh.difference_update(known)
            self.done([whole[key] for key in user_keys])
            copied += len(user_keys)
            self.say(f"{copied} of {len(whole)} users copied")

    def cut(self, user_keys: list[int]) -> Iterator[Piece]:
        """Cut all time into pieces of about the same size for some users."""
        start, weight = NEVER, 0.0
        for row in self.source.execute(query("move_weights"), {"user_keys": user_keys}).fetchall():
            if weight and weight + row["weight"] > USER_DAYS_TOGETHER:
                yield Piece(user_keys, start, row["day"].isoformat())
                start, weight = row["day"].isoformat(), 0.0
            weight += row["weight"]
        yield Piece(user_keys, start, FOREVER)

    def copy_days(self, entries: Sequence[dict[str, Any]]) -> None:
        """Copy days of users, and of events, that were noted."""
        days: defaultdict[str, set[int | None]] = defaultdict(set)
        noted: defaultdict[str, list[int]] = defaultdict(list)
        for entry in entries:
            if entry["day"] != NEVER:
                days[entry["day"]].add(entry["user_key"])
                noted[entry["day"]].append(entry["entry"])
        for number, (day, touched) in enumerate(days.items(), 1):
            end = one(self.source, "SELECT (%s::timestamptz + INTERVAL '24 hours')::text AS day", [day])["day"]
            if None in touched:
                self.copy_events(day, end)
            for user_keys in together((key for key in touched if key in self.names.users), USER_DAYS_TOGETHER):
                self.copy(Piece([key for key in user_keys if key is not None], day, end))
            self.done(noted[day])
            self.say(f"{number} of {len(days)} days copied again")

    def done(self, entries: list[int]) -> None:
        """Forget notes of what was copied since they were read."""
        self.source.execute("DELETE FROM core.touched_day WHERE entry = ANY (%s)", [entries])

    def copy(self, piece: Piece, *, nothing_there: bool = False) -> None:
        """Copy a piece; again where a device or a metric has been registered since the names were compared."""
        for _ in range(ATTEMPTS):
            try:
                self.replace(piece, nothing_there)
                return
            except psycopg.errors.NotNullViolation as error:
                unknown = error.diag.message_primary
                self.names.synchronize()
                piece = piece._replace(user_keys=[key for key in piece.user_keys if key in self.names.users])
        raise CannotMove(f"Rows of the tenant have keys that stand for no device or metric of it: {unknown}.")

    def replace(self, piece: Piece, nothing_there: bool) -> None:
        """Replace what the target has of a piece by what the source has."""
        there = [self.names.users[key] for key in piece.user_keys]
        if not there:
            return
        marking = "SELECT api_internal.mark_copied(%s, %s, %s)"
        with self.target.transaction():
            self.target.execute("SELECT api_internal.hold_horizon()")
            if not nothing_there:
                self.target.execute(marking, [there, piece.start, piece.end])
                for table in TABLES:
                    self.clear(table, there, piece)
            for table, columns in TABLES.items():
                self.stream(table, columns, piece)
            self.target.execute(marking, [there, piece.start, piece.end])

    def clear(self, table: str, user_keys: list[int], piece: Piece) -> None:
        """Delete what the target has; again until nothing is left, since one DELETE may miss some."""
        deletion = sql.SQL("DELETE FROM core.{} WHERE user_key = ANY (%s) AND ts >= %s AND ts < %s")
        while self.target.execute(deletion.format(sql.Identifier(table)), [user_keys, piece.start, piece.end]).rowcount:
            pass

    def stream(self, table: str, columns: Sequence[str], piece: Piece) -> None:
        """Copy rows of a table, with the keys of the target."""
        bound = {"user_keys": piece.user_keys, "start": piece.start, "end": piece.end}
        into = sql.SQL("COPY core.{} ({}) FROM STDIN (FORMAT binary)").format(
            sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, columns))
        )
        with (
            self.source.cursor().copy(rows_of(table, columns), bound) as reading,
            self.target.cursor().copy(into) as writing,
        ):
            for data in reading:
                writing.write(data)

    def copy_events(self, start: str, end: str) -> None:
        """Copy events; those that the target has stay as they are."""
        with self.source.transaction(), self.source.cursor("moved_events") as cursor:
            cursor.execute(EVENTS, [self.names.source_key, start, end])
            while events := cursor.fetchmany(EVENTS_TOGETHER):
                columns = {name: [event[name] for event in events] for name in events[0]}
                self.target.execute(
                    "SELECT api_internal.write_events(%(tenant_ids)s, %(event_id)s, %(source)s, %(event_type)s, %(ts)s,"
                    " %(payload)s::text[]::jsonb[])",
                    {**columns, "tenant_ids": [self.names.tenant_id] * len(events)},
                )


def rows_of(table: str, columns: Sequence[str]) -> sql.Composed:
    """Return the statement that reads a piece of a table; a key that is not known in the target is null."""
    keys = [column for column in columns if column in KEYS]
    return sql.SQL(
        "COPY (SELECT {} FROM core.{} AS r {} WHERE r.user_key = ANY (%(user_keys)s::int[])"
        " AND r.ts >= %(start)s::timestamptz AND r.ts < %(end)s::timestamptz) TO STDOUT (FORMAT binary)"
    ).format(
        sql.SQL(", ").join(
            sql.Identifier(KEYS[column], "key_there") if column in KEYS else sql.Identifier("r", column)
            for column in columns
        ),
        sql.Identifier(table),
        sql.SQL(" ").join(
            sql.SQL("LEFT JOIN pg_temp.{} ON {} = {}").format(
                sql.Identifier(KEYS[key]), sql.Identifier(KEYS[key], "key_here"), sql.Identifier("r", key)
            )
            for key in keys
        ),
    )


def together(items: Iterable[T], count: int) -> Iterator[list[T]]:
    """Yield lists of so many items."""
    left = iter(items)
    while some := list(islice(left, count)):
        yield some
