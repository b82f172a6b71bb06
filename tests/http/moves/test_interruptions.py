"""A tenant moves while its clients write, and by movers that are killed: everything is there afterwards, once."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import psycopg
import pytest

from scripts.tenants.copying import Copying, Piece
from scripts.tenants.move import STEPS, Move, move
from tests.http.moves.moving import STORED, WRONG, quietly
from tests.http.moves.writers import Writer, end_and_compare, wait_until
from tests.http.test_tenants import CLINIC, answers, ask, event_of, reading_of
from tests.support.paths import ROOT
from tests.support.wire import moment

pytestmark = pytest.mark.native  # the embedded server has one database


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
