"""Several connections to one database, made to meet at a chosen step."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from threading import Thread
from typing import Any

import psycopg

from service.database.schema import SQL, build_order
from tests.support import sql_client
from tests.support.moments import DAY, HOUR, MINUTE, micros, moment
from tests.support.reference_model import Model
from tests.support.stored import Item

NOON = 19_800 * DAY + 12 * HOUR  # 2024-03-18
BEFORE = NOON - 2 * DAY  # where the horizon lies when a scenario begins
# Of an aggregate of events, the table behind it; everything else is a table itself.
TABLE = """
    SELECT coalesce((SELECT format('%%I.%%I', materialization_hypertable_schema, materialization_hypertable_name)
                       FROM timescaledb_information.continuous_aggregates
                      WHERE format('%%I.%%I', view_schema, view_name) = %s), %s)
"""
HELD = 4242  # the advisory lock that what is held waits for
WAIT = f"""
    CREATE OR REPLACE FUNCTION public.wait_for_the_stage() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF current_setting('application_name') = 'held' THEN
        PERFORM pg_advisory_xact_lock_shared({HELD});
      END IF;
      RETURN coalesce(NEW, OLD);
    END
    $$
"""


class Act:
    """Something that runs on a connection of its own while others go on."""

    def __init__(self, connection: psycopg.Connection[Any], action: Callable[[psycopg.Connection[Any]], Any]) -> None:
        self.connection = connection
        self.action = action
        self.result: Any = None
        self.error: Exception | None = None
        self.thread = Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self) -> None:
        try:
            self.result = self.action(self.connection)
        except Exception as error:
            self.error = error

    def end(self) -> Any:
        """Wait for the end; return the result or raise the error."""
        self.thread.join(60)
        assert not self.thread.is_alive(), "it did not end"
        if self.error is not None:
            raise self.error
        return self.result


class Stage:
    """A database, the model of what it holds, and as many connections as a scenario needs."""

    def __init__(self, db: psycopg.Connection[Any], url: str, exits: ExitStack) -> None:
        self.db = db
        self.url = url
        self.exits = exits
        self.model = Model()
        self.events: list[int] = []

    def connect(self) -> psycopg.Connection[Any]:
        connection = psycopg.connect(self.url, autocommit=True, options="-c timezone=UTC")
        self.exits.callback(connection.close)
        return connection

    def write(self, *items: Item) -> None:
        sql_client.write(self.db, items)
        self.model.write(items)

    def act(self, action: Callable[[psycopg.Connection[Any]], Any], held: bool = False) -> Act:
        """Start something, and return once it has ended or waits for a lock; `held` lets it be held where it writes."""
        connection = self.connect()
        if held:
            connection.execute("SET application_name = 'held'")
        act = Act(connection, action)
        self.settle(act)
        return act

    def settle(self, act: Act) -> None:
        """Wait until something has ended, or has waited for a lock for a tenth of a second."""
        query = "SELECT cardinality(pg_blocking_pids(%s)) > 0"
        deadline = time.monotonic() + 60
        looks = 0
        while act.thread.is_alive() and looks < 10:
            blocked = self.db.execute(query, [act.connection.info.backend_pid]).fetchone() == (True,)
            looks = looks + 1 if blocked else 0
            assert time.monotonic() < deadline, "it neither ended nor came to wait"
            act.thread.join(0.01)

    @contextmanager
    def stopped_at(self, level: str, mode: str = "EXCLUSIVE") -> Iterator[None]:
        """Let nobody write to a rollup, or another table, meanwhile; with ACCESS EXCLUSIVE nobody read it either.

        Whoever comes to it waits before reading what it would write down.
        """
        keeper = self.connect()
        name = level if "." in level else f"rollup.{level}"
        row = keeper.execute(TABLE, [name, name]).fetchone()
        assert row is not None
        with keeper.transaction():
            keeper.execute(f"LOCK TABLE {row[0]} IN {mode} MODE".encode())
            yield

    @contextmanager
    def holding(self, table: str, event: str) -> Iterator[None]:
        """Let acts that are `held` wait before they write rows of a table, when they have read what they write down."""
        self.db.execute(WAIT.encode())
        self.db.execute(
            f"CREATE TRIGGER held BEFORE {event} ON {table} FOR EACH ROW "
            "EXECUTE FUNCTION public.wait_for_the_stage()".encode()
        )
        keeper = self.connect()
        try:
            with keeper.transaction():
                keeper.execute("SELECT pg_advisory_xact_lock(%s)", [HELD])
                yield
        finally:
            self.exits.callback(self.db.execute, f"DROP TRIGGER held ON {table}".encode())

    def versions(self, levels: Iterable[str] = sql_client.LEVELS) -> set[Any]:
        """Return which versions of which rows the rollups hold."""
        found: set[Any] = set()
        for level in levels:
            found.update(self.db.execute(f"SELECT tableoid, ctid, xmin::text FROM rollup.{level}".encode()).fetchall())
        return found

    def rows(self, level: str) -> int:
        """Return how many rows a rollup holds."""
        row = self.db.execute(f"SELECT count(*) FROM rollup.{level}".encode()).fetchone()
        assert row is not None
        return int(row[0])

    def write_event(self, name: str, ts: int) -> None:
        """Store an event, on a connection of the caller's choice or the main one."""
        send_event(self.db, name, ts)
        self.events.append(ts)

    def miscounted(self) -> list[str]:
        """Count events in several ways; return the counts that are wrong."""
        start, end = NOON - 3 * DAY, NOON + 3 * DAY
        found = []
        for width, size, view in ((MINUTE, "minute", "1m"), (HOUR, "hour", "1h"), (DAY, "day", "1d")):
            right = sorted(Counter(ts // width * width for ts in self.events).items())
            for relation, arguments in ((COUNTS, [size, moment(start), moment(end)]), (COUNTS_VIEW + view, [])):
                rows = self.db.execute(f"SELECT bucket, count FROM {relation} ORDER BY 1".encode(), arguments)
                if (got := [(micros(bucket), count) for bucket, count in rows.fetchall()]) != right:
                    found.append(f"{relation} {size}: {got}")
        return found

    def wrong(self, *models: Model) -> list[str]:
        """Ask for the days around noon in several ways; return the answers that none of the models gives."""
        models = models or (self.model,)
        user = ("default", "ada")
        found = []
        for start, end in QUESTIONS:
            for device in (None, "watch", "phone"):
                got = sql_client.summary(self.db, *user, start, end, device)
                if all(got != model.summary(*user, start, end, device) for model in models):
                    found.append(f"summary {start}..{end} of {device}: {got}")
        latest, seen = sql_client.latest(self.db, *user), sql_client.seen(self.db, "default")
        if all(latest != model.latest(*user) for model in models):
            found.append(f"latest: {latest}")
        if all(seen != model.seen("default") for model in models):
            found.append(f"seen: {seen}")
        for bucket in ("1m", "15m", "1h", "1d"):
            points, _ = sql_client.series(self.db, *user, NOON - 3 * DAY, NOON + 3 * DAY, bucket, "UTC")
            if all(points != model.series(*user, NOON - 3 * DAY, NOON + 3 * DAY, bucket, "UTC") for model in models):
                found.append(f"series by {bucket}: {points}")
        for bucket in ("1m", "15m", "1h", "1d"):
            rows = sql_client.vitals(self.db, *user, NOON - 3 * DAY, NOON + 3 * DAY, bucket)
            if all(rows != model.vitals(*user, NOON - 3 * DAY, NOON + 3 * DAY, bucket) for model in models):
                found.append(f"vitals_{bucket}: {rows}")
        return found


MIDNIGHT = NOON - 12 * HOUR
QUESTIONS = [
    (NOON - 3 * DAY, NOON + 3 * DAY),
    (MIDNIGHT, MIDNIGHT + DAY),
    (NOON, NOON + HOUR),
    (NOON - 15 * MINUTE, NOON + 15 * MINUTE),
    (NOON + 1, NOON + 3 * HOUR + 1),
]


COUNTS = "api.event_counts('default', %s, NULL, NULL, %s, %s)"
COUNTS_VIEW = "api.event_counts_"
EVENT = "SELECT api_internal.write_events('{default}', %s, '{web}', '{click}', %s::timestamptz[], '{1}')"


def send_event(db: psycopg.Connection[Any], name: str, ts: int) -> None:
    db.execute(EVENT, [[name], [moment(ts)]])


def beat(device: str, ts: int, steps: int) -> Item:
    """A reading of Ada's with numbers that tell readings apart."""
    return Item("default", "ada", device, ts, 60 + steps % 100, steps, steps / 8)


def script(name: str) -> str:
    """The text of an object's file in sql/, made to replace what is there."""
    (path,) = (SQL / line for line in build_order() if line.endswith(f"/{name}.sql"))
    text = path.read_text(encoding="utf-8")
    return re.sub("^CREATE (?=FUNCTION|PROCEDURE|VIEW)", "CREATE OR REPLACE ", text, flags=re.MULTILINE)


def install(db: psycopg.Connection[Any], text: str) -> None:
    """Replace a function as scripts/migrate.py would build it."""
    with db.transaction():
        db.execute("SET LOCAL search_path = pg_catalog")
        db.execute(text.encode())


@contextmanager
def mutated(db: psycopg.Connection[Any], name: str, pattern: str, replacement: str, times: int = 1) -> Iterator[None]:
    """Replace a function or view by one where what matches, so many times, is replaced."""
    text, found = re.subn(pattern, replacement, script(name), flags=re.DOTALL)
    assert found == times, f"{pattern} is {found} times in {name}: fit the mutant to the file again"
    install(db, text)
    try:
        yield
    finally:
        install(db, script(name))
