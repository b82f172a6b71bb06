"""Moving a tenant to another database: everything is there afterwards, once, whatever happens meanwhile."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import httpx
import psycopg
import pytest

from scripts.tenants import __main__ as command
from scripts.tenants.comparing import Comparison
from scripts.tenants.copying import Copying, Piece
from scripts.tenants.databases import CannotMove
from scripts.tenants.move import STEPS, Move, cancel, move, remove
from tests.http.test_tenants import CLINIC, KEYS, LAB, METRIC, Tenant, answers, ask, event_of, reading_of, send
from tests.support.keys import add_key
from tests.support.paths import ROOT
from tests.support.shards import as_url
from tests.support.wire import moment

pytestmark = pytest.mark.native  # the embedded server has one database

STORED = """
  SELECT u.user_id, r.ts, r.steps FROM core.reading AS r
    JOIN core.app_user AS u USING (user_key) JOIN core.tenant AS t USING (tenant_key) WHERE t.tenant_id = 'clinic'
"""
NUMBERS = count()
WRONG = "SELECT * FROM api.verify('-infinity', 'infinity') WHERE problem IS NOT NULL"


@pytest.fixture
def home(
    db: psycopg.Connection, lake: psycopg.Connection, database_url: str, lake_url: str, monkeypatch: pytest.MonkeyPatch
) -> psycopg.Connection:
    """The home database, with keys of two tenants; commands find both databases in the environment."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("SHARD_DATABASE_URLS", f"lake={lake_url}")
    for tenant in (CLINIC, LAB):
        KEYS[tenant.name] = add_key(db, ["ingest", "read", "admin"], tenant=tenant.name)
    return db


@pytest.fixture
def filled(service: httpx.Client, home: psycopg.Connection) -> psycopg.Connection:
    """The home database with something of every kind, of two tenants under the same names, some of it rolled up."""
    have_the_map_read(service, home)
    for tenant in (LAB, CLINIC):
        fill(service, tenant)
        home.execute("SELECT api.set_goal(%s, '101', 'steps', 70000)", [tenant.name])
        home.execute("SELECT api.set_time_zone(%s, '101', 'Europe/Berlin')", [tenant.name])
    home.execute("CALL api.refresh()")
    days = [day for (day,) in home.execute("SELECT DISTINCT bucket FROM rollup.user_1d").fetchall()]
    home.execute("CALL api_internal.refresh_populations(%s)", [days])
    return home


def have_the_map_read(service: httpx.Client, home: psycopg.Connection) -> None:
    """Wait until the service knows that no tenant has moved in this test.

    It reads the map twice a second, and not while the map is emptied: then it answers 503 for a while.
    """
    nowhere = f"nowhere-{next(NUMBERS)}"
    home.execute("INSERT INTO core.tenant_shard (tenant_id, shard) VALUES ('clinic', %s)", [nowhere])
    wait_until(lambda: f"'{nowhere}'" in ask(service, CLINIC, ("GET", "/v1/users")).text)
    home.execute("DELETE FROM core.tenant_shard")
    wait_until(lambda: ask(service, CLINIC, ("GET", "/v1/users")).status_code == 200)


def wait_until(is_so: Callable[[], bool]) -> None:
    """Wait until something is so, at most a minute."""
    until = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < until, "not within a minute"
        time.sleep(0.005)


def fill(service: httpx.Client, tenant: Tenant) -> None:
    """Send something of every kind."""
    # Of a name of its own, since the service keeps the keys of metrics, which a test deletes.
    metric = f"lactate_{next(NUMBERS)}"
    declared = service.put(
        f"/v1/metrics/{metric}", json=METRIC | {"title": f"metric-{tenant.word}"}, headers=tenant.headers
    )
    assert declared.status_code == 200, declared.text
    recently = datetime.now(UTC) - timedelta(minutes=10)
    old = [moment(f"{hour:02}:00:00", day) for day in ("2023-12-31", "2024-01-15") for hour in range(0, 24, 4)]
    readings = [
        reading_of(tenant, at, device_id=device) for at in (*old, recently.isoformat()) for device in ("watch", "ring")
    ]
    own = reading_of(tenant, moment(), user_id=f"user-{tenant.word}", device_id=f"device-{tenant.word}")
    samples = [reading_of(tenant, at, **{metric: 1.5}, spo2=97, body_weight=70.5) for at in old[:3]]
    intervals: list[dict[str, Any]] = [
        {
            "user_id": 101,
            "device_id": "phone",
            "timestamp": moment("08:10:00"),
            "end": moment("08:40:00"),
            "steps": 900,
        },
        {
            "user_id": 101,
            "device_id": "phone",
            "timestamp": moment("08:00:00"),
            "end": moment("09:00:00"),
            "worn": True,
        },
        {
            "user_id": 101,
            "device_id": "phone",
            "timestamp": moment("00:00:00"),
            "daily_total": True,
            "steps": 9000,
            "end": moment("00:00:00", "2024-01-16"),
        },
    ]
    send(service, tenant, ("POST", "/v1/readings"), json=[*readings, own, *samples])
    send(service, tenant, ("POST", "/v1/readings"), json=intervals)
    device = {"name": f"watch-{tenant.word}", "priority": 7, "metrics": {"steps": 3, metric: 5}}
    send(service, tenant, ("PUT", "/v1/devices/{device_id:name}"), json=device)
    events = [event_of(tenant), event_of(tenant, f"evt-{tenant.word}", event_type=f"type-{tenant.word}")]
    send(service, tenant, ("POST", "/v1/events"), json=events)


def quietly(what: str) -> None:
    """Say nothing."""


def rows_of(
    database: psycopg.Connection, tables: str = "reading sample interval worn_window daily_total"
) -> dict[str, int]:
    """How many rows of the clinic there are in each table."""
    found = {}
    for table in tables.split():
        row = database.execute(
            f"SELECT count(*) FROM core.{table} JOIN core.app_user USING (user_key) JOIN core.tenant USING (tenant_key)"
            " WHERE tenant_id = 'clinic'".encode()
        ).fetchone()
        assert row is not None
        found[table] = row[0]
    return found


def test_everything_of_a_tenant_moves_and_nothing_of_another(
    service: httpx.Client, filled: psycopg.Connection, lake: psycopg.Connection
) -> None:
    before = {tenant: dict(answers(service, tenant)) for tenant in (CLINIC, LAB)}
    rows = rows_of(filled)
    assert all(rows.values()), rows
    move("clinic", "lake", quietly)
    assert {tenant: dict(answers(service, tenant)) for tenant in (CLINIC, LAB)} == before
    assert rows_of(lake) == rows
    assert lake.execute("SELECT DISTINCT tenant_id FROM api.users").fetchall() == [("clinic",)]
    assert lake.execute("SELECT user_id, metric, target FROM api.goals").fetchall() == [("101", "steps", 70000)]
    assert lake.execute("SELECT time_zone FROM api.users WHERE user_id = '101'").fetchone() == ("Europe/Berlin",)
    assert lake.execute("SELECT count(*) FROM core.stale_day WHERE day < '2024-02-01'").fetchone() == (0,)
    populations = "SELECT bucket, users, steps FROM api.population_1d WHERE tenant_id = 'clinic' ORDER BY 1"
    assert lake.execute(populations).fetchall() == filled.execute(populations).fetchall() != []
    assert lake.execute(WRONG).fetchall() == []
    # What is left stays until it is removed, and then the answers are the same still.
    assert rows_of(filled) == rows
    remove("clinic", quietly)
    for database in (filled, lake):
        database.execute("CALL api.refresh()")
    assert not any(rows_of(filled).values())
    assert filled.execute("SELECT DISTINCT tenant_id FROM api.users").fetchall() == [("lab",)]
    assert filled.execute("SELECT DISTINCT tenant_id FROM api.event_counts_1d").fetchall() == [("lab",)]
    assert {tenant: dict(answers(service, tenant)) for tenant in (CLINIC, LAB)} == before
    # There and back again.
    move("clinic", "home", quietly)
    remove("clinic", quietly)
    assert {tenant: dict(answers(service, tenant)) for tenant in (CLINIC, LAB)} == before
    assert rows_of(filled) == rows
    assert not any(rows_of(lake).values())
    assert filled.execute(WRONG).fetchall() == []


class Writer(threading.Thread):
    """A client that writes a reading after the other, now and long ago, and sends again what was not taken."""

    def __init__(self, url: str, user_id: str) -> None:
        super().__init__()
        self.url = url
        self.user_id = user_id
        self.ended = threading.Event()
        self.answered: set[datetime] = set()
        self.unexpected: list[str] = []

    def run(self) -> None:
        number = 0
        with httpx.Client(base_url=self.url, headers=CLINIC.headers, timeout=30) as client:
            while not self.ended.is_set():
                number += 1
                base = datetime.now(UTC) if number % 2 else datetime(2024, 1, 1 + number % 4, tzinfo=UTC)
                at = base.replace(microsecond=0) + timedelta(microseconds=number)
                body = {"user_id": self.user_id, "device_id": f"d{number % 5}", "timestamp": at.isoformat(), "steps": 1}
                while (answer := client.post("/v1/readings", json=body)).status_code == 503:
                    assert int(answer.headers["retry-after"]) > 0
                    if self.ended.wait(0.05):
                        return
                if answer.status_code != 200:
                    self.unexpected.append(answer.text)
                self.answered.add(at)

    def wait_for(self, more: int) -> None:
        """Wait until so many more readings are stored."""
        wanted = len(self.answered) + more
        wait_until(lambda: len(self.answered) >= wanted)


@pytest.fixture
def writers(service: httpx.Client, filled: psycopg.Connection) -> Iterator[list[Writer]]:
    """Three clients of the clinic that write until they are ended."""
    running = [Writer(str(service.base_url), f"writer-{number}") for number in range(3)]
    for writer in running:
        writer.start()
    try:
        yield running
    finally:
        for writer in running:
            writer.ended.set()
        for writer in running:
            writer.join()


def end_and_compare(writers: list[Writer], lake: psycopg.Connection) -> None:
    """End the clients, and compare what they heard with what is stored."""
    for writer in writers:
        writer.wait_for(5)
        writer.ended.set()
    for writer in writers:
        writer.join()
        assert writer.unexpected == []
    stored = [(user, at) for user, at, steps in lake.execute(STORED.encode()) if steps == 1]
    expected = [(writer.user_id, at) for writer in writers for at in writer.answered]
    assert sorted(stored) == sorted(expected)


def test_a_tenant_moves_under_load_with_every_reading_once(
    service: httpx.Client,
    filled: psycopg.Connection,
    lake: psycopg.Connection,
    writers: list[Writer],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    replace = Copying.replace
    pieces: list[Piece] = []

    def while_they_write(copying: Copying, piece: Piece, nothing_there: bool) -> None:
        if len(pieces) < 10:
            writers[0].wait_for(2)
        pieces.append(piece)
        replace(copying, piece, nothing_there)

    def before_the_fence(under_way: Move) -> None:
        for writer in writers:
            writer.wait_for(20)
        monkeypatch.setattr(Copying, "replace", replace)
        Move.fence(under_way)

    monkeypatch.setattr(Copying, "replace", while_they_write)
    monkeypatch.setattr("scripts.tenants.move.STEPS", [before_the_fence if s is Move.fence else s for s in STEPS])
    move("clinic", "lake", quietly)
    end_and_compare(writers, lake)
    for database in (filled, lake):
        database.execute("CALL api.refresh()")
        assert database.execute(WRONG).fetchall() == []
    # Nothing came to the old database after the switch, and what is there is no more than what is in the new one.
    assert not set(filled.execute(STORED.encode())) - set(lake.execute(STORED.encode()))


class Killed(BaseException):
    """What a mover that is killed meets."""


def killed_at(point: int, monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """Have a move end at the point of that number: before or after a step or a piece; returns how many it came to."""
    reached = 0

    def pass_point() -> None:
        nonlocal reached
        reached += 1
        if reached == point:
            raise Killed

    def guarded(work: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any, **more: Any) -> Any:
            pass_point()
            result = work(*args, **more)
            pass_point()
            return result

        return run

    monkeypatch.setattr("scripts.tenants.move.STEPS", [guarded(step) for step in STEPS])
    for name in ("replace", "done", "copy_events"):
        monkeypatch.setattr(Copying, name, guarded(getattr(Copying, name)))
    return lambda: reached


def test_a_mover_that_is_killed_anywhere_goes_on(
    service: httpx.Client, filled: psycopg.Connection, lake: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scripts.tenants.copying.USERS_TOGETHER", 2)
    monkeypatch.setattr("scripts.tenants.move.TRUSTED_SECONDS", 0)
    expected: dict[str, int] = {}
    gone: set[str] = set()
    for point in range(1, 1000):
        # Something of every kind changes between two attempts, as long as writes are taken.
        user = f"user-{point}"
        changes = [
            (
                ("POST", "/v1/readings"),
                {"json": [reading_of(CLINIC, moment(), user_id=user, device_id=f"d{point}", steps=point)]},
            ),
            (("POST", "/v1/events"), {"json": [event_of(CLINIC, f"event-{point}")]}),
            (("PUT", "/v1/devices/{device_id:name}"), {"json": {"priority": point}}),
        ]
        statuses = [ask(service, CLINIC, key, **body).status_code for key, body in changes]
        assert set(statuses) <= {200, 201, 503}, statuses
        if statuses[0] == 200:
            expected[user] = point
        if point % 3 == 0 and f"user-{point - 1}" in expected:
            answer = service.delete(f"/v1/users/user-{point - 1}", headers=CLINIC.headers)
            if answer.status_code == 200:
                gone.add(f"user-{point - 1}")
        with monkeypatch.context() as patched:
            patched.setattr("scripts.tenants.move.TRUSTED_SECONDS", 0)
            killed_at(point * 3 % 43 + 1, patched)  # 43 is prime: every point in turn
            try:
                move("clinic", "lake", quietly)
                break
            except Killed:
                continue
    assert point > 5
    time.sleep(2.2)  # for as long as the service may use the map that it has read
    stored = {
        user: steps for user, _, steps in lake.execute(STORED.encode()) if user.startswith("user-") and steps < 1000
    }
    assert stored == {user: steps for user, steps in expected.items() if user not in gone}
    lake.execute("CALL api.refresh()")
    assert lake.execute(WRONG).fetchall() == []
    assert CLINIC.word in str(dict(answers(service, CLINIC)))


MOVE = [sys.executable, "-m", "scripts.tenants", "move", "clinic", "--to", "lake"]
WAITS = """
  SELECT pid FROM pg_locks WHERE NOT granted AND relation = %s::regclass
     AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
SWITCHED = "SELECT FROM core.tenant_move WHERE switched_at IS NOT NULL"


@contextmanager
def mover() -> Iterator[subprocess.Popen[bytes]]:
    """A mover in a process of its own, which is killed at the end by a signal that it cannot handle."""
    with subprocess.Popen(MOVE, cwd=ROOT, stderr=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


def is_there(database: psycopg.Connection, query: str, *values: str) -> bool:
    """Return whether a query has a row."""
    return database.execute(query.encode(), values or None).fetchone() is not None


def kill_before_it_writes(url: str, table: str, *, is_heard: bool = True) -> None:
    """Kill a mover when it has sent a statement that writes a table; unless `is_heard`, it never takes effect."""
    with psycopg.connect(url) as holder:
        holder.execute(f"LOCK TABLE {table} IN SHARE MODE".encode())
        with mover():
            wait_until(lambda: is_there(holder, WAITS, table))
        if not is_heard:
            holder.execute(f"SELECT pg_terminate_backend(pid, 10000) FROM ({WAITS}) AS w".encode(), [table])


def test_a_mover_that_the_system_kills_goes_on(
    filled: psycopg.Connection, lake: psycopg.Connection, writers: list[Writer], database_url: str, lake_url: str
) -> None:
    for writer in writers:
        writer.wait_for(5)
    kill_before_it_writes(lake_url, "core.reading")  # in its first piece
    kill_before_it_writes(database_url, "core.tenant_move")  # before the fence, of which the note is made
    kill_before_it_writes(database_url, "core.tenant_shard")  # within the switch
    kill_before_it_writes(lake_url, "core.reading")  # behind the fence
    assert filled.execute("SELECT count(*) FROM core.tenant_shard").fetchone() == (0,)
    with mover():
        wait_until(lambda: is_there(filled, SWITCHED))  # while it waits to open the tenant
    kill_before_it_writes(database_url, "core.tenant_move", is_heard=False)  # when that is done
    with mover() as last:
        assert last.stderr is not None
        said = last.stderr.read()
    assert b"clinic is in lake;" in said, said
    end_and_compare(writers, lake)
    for database in (filled, lake):
        database.execute("CALL api.refresh()")
        assert database.execute(WRONG).fetchall() == []
    assert not set(filled.execute(STORED.encode())) - set(lake.execute(STORED.encode()))


def test_a_move_is_cancelled_before_its_switch(
    service: httpx.Client, filled: psycopg.Connection, lake: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = dict(answers(service, CLINIC))
    monkeypatch.setattr("scripts.tenants.move.STEPS", STEPS[:4])
    move("clinic", "lake", quietly)
    assert ask(service, CLINIC, ("PUT", "/v1/devices/{device_id:name}"), json={"priority": 1}).status_code == 503
    assert dict(answers(service, CLINIC)) == before
    with pytest.raises(CannotMove, match="still on its way to lake"):
        remove("clinic", quietly)
    cancel("clinic", quietly)
    assert not any(rows_of(lake).values())
    send(service, CLINIC, ("PUT", "/v1/devices/{device_id:name}"), json={"priority": 7})
    assert dict(answers(service, CLINIC)) == before


@pytest.mark.parametrize(("before", "which"), [("compare_past", "min"), ("require_equal", "max")])
def test_a_copy_that_differs_is_not_switched_to(
    filled: psycopg.Connection, lake: psycopg.Connection, monkeypatch: pytest.MonkeyPatch, before: str, which: str
) -> None:
    compare = getattr(Comparison, before)

    def lose_one_first(comparison: Comparison) -> None:
        lake.execute(f"DELETE FROM core.reading WHERE ts = (SELECT {which}(ts) FROM core.reading)".encode())
        compare(comparison)

    monkeypatch.setattr(Comparison, before, lose_one_first)
    with pytest.raises(CannotMove, match="The copy differs in readings"):
        move("clinic", "lake", quietly)
    assert filled.execute("SELECT count(*) FROM core.tenant_shard").fetchone() == (0,)
    cancel("clinic", quietly)


def test_what_cannot_move_is_said(filled: psycopg.Connection, lake: psycopg.Connection) -> None:
    lake.execute("INSERT INTO api.readings (tenant_id, user_id, ts, steps) VALUES ('clinic', 'other', '2024-01-15', 1)")
    with pytest.raises(CannotMove, match="lake has 1 users, 1 devices of a tenant clinic already"):
        move("clinic", "lake", quietly)
    with pytest.raises(CannotMove, match="clinic is in home already"):
        move("clinic", "home", quietly)
    with pytest.raises(CannotMove, match="no move of clinic"):
        remove("clinic", quietly)
    filled.execute("UPDATE core.horizon SET raw_from = '2024-01-02'")
    with pytest.raises(CannotMove, match="Retention has dropped raw readings before 2024-01-02"):
        move("lab", "lake", quietly)


def test_whose_samples_are_dropped_does_not_move(filled: psycopg.Connection, lake: psycopg.Connection) -> None:
    filled.execute(
        "INSERT INTO rollup.sample_1d "
        "(user_key, metric_key, bucket, first_ts, last_ts, lowest, highest, last_value, samples, total) "
        "SELECT user_key, 9, '2023-01-15Z', '2023-01-15Z', '2023-01-15Z', 97, 97, 97, 1, 97e6 FROM core.app_user"
    )
    for there in (filled, lake):
        there.execute("UPDATE core.horizon SET raw_from = '2023-02-01Z', samples_from = '2023-02-01Z'")
        with pytest.raises(CannotMove, match="Retention has dropped raw readings before 2023-02-01"):
            move("lab", "lake", quietly)
        there.execute("UPDATE core.horizon SET raw_from = '-infinity', samples_from = '-infinity'")


def test_no_tenant_moves_to_where_it_is_by_another_address(
    home: psycopg.Connection, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of one without anything the copy would succeed, and `remove` take what was written since."""
    monkeypatch.setenv("SHARD_DATABASE_URLS", f"pond={as_url(database_url)}")
    with pytest.raises(CannotMove, match="pond is the database that newcomer is in, by another address"):
        move("newcomer", "pond", quietly)
    assert home.execute("SELECT count(*) FROM core.tenant_move").fetchone() == (0,)


def test_the_command_moves_lists_and_removes(
    filled: psycopg.Connection, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def tenants(*arguments: str) -> str:
        monkeypatch.setattr("sys.argv", ["tenants", *arguments])
        status = command.main()
        said = capsys.readouterr()
        return f"{status} {said.out}{said.err}"

    assert tenants("list") == "0 clinic  home\nlab  home\n"
    assert "There is no database 'moon': home, lake" in tenants("move", "clinic", "--to", "moon")
    assert "`remove` removes the copy" in tenants("move", "clinic", "--to", "lake")
    assert tenants("status", "clinic") == "0 clinic  lake  moved; its copy in home is to be removed\n"
    assert "is in lake already" in tenants("move", "clinic", "--to", "lake")
    assert tenants("remove", "clinic").startswith("0 ")
    assert tenants("list") == "0 clinic  lake\nlab  home\n"
    assert tenants("status", "nobody").startswith("1 tenants: The home database knows no tenant 'nobody'")
