"""Moves a tenant to another database while it goes on reading and writing; every step may be repeated.

The tenant is copied, and what changes meanwhile is copied again, until little is left. Then the old database takes no
more writes of it, the last changes are copied, and both copies are compared. The map names the new database, which
takes writes once no process of the service can still ask the old one. What is left there is removed by a command of
its own.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql

from scripts.tenants.comparing import Comparison
from scripts.tenants.copying import Copying
from scripts.tenants.databases import CannotMove, Connection, is_same, one, session
from scripts.tenants.names import Names
from service.database.schema import query
from service.database.shard_map import TRUSTED_SECONDS
from service.settings import HOME

FEW = 100  # notes of changes; so few are copied in a moment
LESS = 0.7
CLAIM_SECONDS = 10.0
LOCK_ATTEMPTS = 10
VERIFIED_DAYS, VERIFIED_USERS = 7, 20
NOTE = "SELECT api_internal.note_act(%s, %s, jsonb_build_object('from', %s::text, 'to', %s::text))"

Say = Callable[[str], None]


class Move:
    """A move under way: the databases that it concerns, and how far it is."""

    def __init__(self, home: Connection, source: Connection, target: Connection, row: dict[str, Any], say: Say) -> None:
        self.home, self.source, self.target = home, source, target
        self.tenant_id: str = row["tenant_id"]
        self.row = row
        self.say = say
        self.copying: Copying | None = None
        self.comparison: Comparison | None = None

    def note(self, what: str) -> None:
        """Note in the home database that a step is done."""
        done = sql.SQL("UPDATE core.tenant_move SET {0} = coalesce({0}, now()) WHERE tenant_id = %s")
        self.home.execute(done.format(sql.Identifier(what)), [self.tenant_id])
        self.row[what] = True

    # The steps -----------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Have writers of the source note what they change, and close the tenant in the target."""
        if self.row["switched_at"]:
            return
        moving = {"moving": self.tenant_id}
        there = patiently(self.target, "SELECT api_internal.close_tenant(%s) AS key", [self.tenant_id])["key"]
        self.target.execute("SELECT set_config('hyperpulse.moving', %(moving)s, false)", moving)
        here = patiently(self.source, "SELECT api_internal.begin_move(%s) AS key", [self.tenant_id])["key"]
        self.copying = Copying(Names(self.source, self.target, self.tenant_id, (here, there)), self.say)
        self.comparison = Comparison(self.copying)

    def copy(self) -> None:
        """Copy until little is left, and have the target roll it up."""
        if self.row["fenced_at"]:
            return
        assert self.copying is not None
        assert self.comparison is not None
        self.copying.pass_over()
        self.roll_up()
        # As long as each pass leaves less to the next one than it found itself.
        before = math.inf
        while FEW < (changes := self.copying.pass_over()) < LESS * before:
            self.say(f"{changes} changes copied")
            before = changes
        self.verify()
        self.comparison.compare_past()

    def roll_up(self) -> None:
        """Have the target roll up what was copied, populations included."""
        tenant = {"tenant_id": self.tenant_id}
        stale = query("move_stale_days")
        while (left := one(self.target, stale, tenant)["stale"]) > 0:
            self.say(f"{left} days of users are still to be rolled up in {self.row['target']}")
            self.target.execute("CALL api.refresh('5 seconds')")
        days = one(self.target, query("move_days"), tenant)["days"]
        self.target.execute("CALL api_internal.refresh_populations(%s)", [days])

    def verify(self) -> None:
        """Have the target compare some rollups with readings."""
        wrong = self.target.execute(
            "SELECT v.level, v.bucket, v.problem FROM api.verify(now() - %s * INTERVAL '1 day', now(), %s) AS v"
            " WHERE v.problem IS NOT NULL LIMIT 1",
            [VERIFIED_DAYS, VERIFIED_USERS],
        ).fetchone()
        if wrong is not None:
            raise CannotMove(
                f"In {self.row['target']} a rollup {wrong['problem']} ({wrong['level']}, {wrong['bucket']}): look at "
                "api.verify there before you go on."
            )

    def fence(self) -> None:
        """End the writes of the tenant in the source; clients hear 503 and send again."""
        if self.row["switched_at"]:
            return
        self.note("fenced_at")
        patiently(self.source, "SELECT api_internal.close_tenant(%s) AS key", [self.tenant_id])
        self.say("writes wait")

    def finish(self) -> None:
        """Copy the last changes, and compare both copies."""
        if self.row["switched_at"]:
            return
        assert self.copying is not None
        while self.copying.pass_over():
            pass
        assert self.comparison is not None
        self.comparison.require_equal()

    def switch(self) -> None:
        """Name the target in the map."""
        if self.row["switched_at"]:
            return
        with self.home.transaction():
            self.home.execute(
                "INSERT INTO core.tenant_shard (tenant_id, shard) VALUES (%s, %s)"
                " ON CONFLICT (tenant_id) DO UPDATE SET shard = excluded.shard",
                [self.tenant_id, self.row["target"]],
            )
            self.home.execute(NOTE, ["move tenant", self.tenant_id, self.row["source"], self.row["target"]])
            self.note("switched_at")

    def open(self) -> None:
        """Let the tenant write in the target, once no process of the service can still ask the source."""
        self.say(f"the map names {self.row['target']}; its writes begin in {TRUSTED_SECONDS:g} s")
        time.sleep(TRUSTED_SECONDS + 0.2)
        version = one(self.source, "SELECT last_value FROM core.interval_version")["last_value"]
        patiently(self.target, "SELECT api_internal.open_tenant(%s, %s)", [self.tenant_id, version])
        forget_changes(self.source, self.tenant_id)
        self.note("opened_at")


STEPS = (Move.begin, Move.copy, Move.fence, Move.finish, Move.switch, Move.open)


def move(tenant_id: str, target: str, say: Say) -> None:
    """Move a tenant, or go on where a move of it was interrupted."""
    with session(HOME) as home, claimed(home):
        row = begun(home, tenant_id, target)
        with session(row["source"]) as source, session(row["target"]) as there:
            under_way = Move(home, source, there, row, say)
            for step in STEPS:
                step(under_way)


def begun(home: Connection, tenant_id: str, target: str) -> dict[str, Any]:
    """Return the move of a tenant, begun now unless it was before; CannotMove where it cannot begin."""
    row = home.execute("SELECT * FROM core.tenant_move WHERE tenant_id = %s", [tenant_id]).fetchone()
    if row is not None:
        if row["target"] != target:
            raise CannotMove(
                f"{tenant_id} is on its way from {row['source']} to {row['target']}: end that move, or cancel it."
            )
        if row["opened_at"]:
            raise CannotMove(f"{tenant_id} is in {target} already; `remove` removes what is left in {row['source']}.")
        return row
    source = shard_of(home, tenant_id)
    if source == target:
        raise CannotMove(f"{tenant_id} is in {target} already.")
    with session(source) as here, session(target) as there:
        require_movable(here, there, tenant_id, target)
    return one(
        home,
        "INSERT INTO core.tenant_move (tenant_id, source, target) VALUES (%s, %s, %s) RETURNING *",
        [tenant_id, source, target],
    )


def shard_of(home: Connection, tenant_id: str) -> str:
    """Return the database that the map names."""
    row = home.execute("SELECT shard FROM core.tenant_shard WHERE tenant_id = %s", [tenant_id]).fetchone()
    return HOME if row is None else str(row["shard"])


def require_movable(source: Connection, target: Connection, tenant_id: str, name: str) -> None:
    """Raise CannotMove where the target is the source, has something of the tenant, or would lose some of it."""
    if is_same(source, target):
        raise CannotMove(f"{name} is the database that {tenant_id} is in, by another address.")
    there = one(target, query("move_leftovers"), {"tenant_id": tenant_id})
    if any(there.values()):
        held = ", ".join(f"{count} {what}" for what, count in there.items() if count)
        raise CannotMove(
            f"{name} has {held} of a tenant {tenant_id} already; a tenant moves where there is none of it."
        )
    since = dict.fromkeys(("first_day", "first_sample_day"))
    here = one(source, query("move_unmovable"), {"tenant_id": tenant_id} | since)
    there = one(target, query("move_unmovable"), {"tenant_id": tenant_id} | {day: here[day] for day in since})
    for row in (here, there):
        if row["is_dropped"]:
            raise CannotMove(
                f"Retention has dropped raw readings before {row['raw_from']}, and {tenant_id} has older ones, of "
                "which only rollups are kept; those are not moved."
            )


def cancel(tenant_id: str, say: Say) -> None:
    """End a move that has not switched: the tenant writes on where it is, and its copy is removed."""
    with session(HOME) as home, claimed(home):
        row = move_of(home, tenant_id)
        if row["switched_at"]:
            raise CannotMove(f"{tenant_id} is in {row['target']} by the map already: end the move by `move`.")
        with session(row["source"]) as source, session(row["target"]) as target:
            patiently(source, "SELECT api_internal.open_tenant(%s)", [tenant_id])
            forget_changes(source, tenant_id)
            remove_from(target, tenant_id, say)
        home.execute("DELETE FROM core.tenant_move WHERE tenant_id = %s", [tenant_id])


def remove(tenant_id: str, say: Say) -> None:
    """Remove what is left of a tenant in the database that it has moved from."""
    with session(HOME) as home, claimed(home):
        row = move_of(home, tenant_id)
        if not row["opened_at"]:
            raise CannotMove(f"{tenant_id} is still on its way to {row['target']}: end the move by `move` first.")
        with session(row["source"]) as source:
            remove_from(source, tenant_id, say)
        with home.transaction():
            home.execute("DELETE FROM core.tenant_move WHERE tenant_id = %s", [tenant_id])
            home.execute(NOTE, ["remove moved tenant", tenant_id, row["source"], row["target"]])


def move_of(home: Connection, tenant_id: str) -> dict[str, Any]:
    """Return the move of a tenant."""
    row = home.execute("SELECT * FROM core.tenant_move WHERE tenant_id = %s", [tenant_id]).fetchone()
    if row is None:
        raise CannotMove(f"There is no move of {tenant_id}; `list` lists those that there are.")
    return row


def remove_from(connection: Connection, tenant_id: str, say: Say) -> None:
    """Remove users, events and devices of a tenant; its row stays, and stays closed.

    Its metrics stay, too: processes keep the keys of metrics for ever, and the tenant may come back.
    """
    tenant_key = patiently(connection, "SELECT api_internal.close_tenant(%s) AS key", [tenant_id])["key"]
    connection.execute("SELECT set_config('hyperpulse.moving', %s, false)", [tenant_id])
    users = connection.execute("SELECT user_id FROM core.app_user WHERE tenant_key = %s", [tenant_key]).fetchall()
    for number, row in enumerate(users, 1):
        connection.execute("SELECT * FROM api.erase_user(%s, %s)", [tenant_id, row["user_id"]])
        say(f"{number} of {len(users)} users removed")
    with connection.transaction():
        connection.execute(query("remove_tenant_events"), {"tenant_key": tenant_key})
    for table in ("event_id", "device"):
        deletion = sql.SQL("DELETE FROM core.{} WHERE tenant_key = %s").format(sql.Identifier(table))
        connection.execute(deletion, [tenant_key])


def forget_changes(source: Connection, tenant_id: str) -> None:
    """Have writers note no more changes of a tenant, and forget those that were noted."""
    deletion = sql.SQL(
        "DELETE FROM core.{} WHERE tenant_key = (SELECT tenant_key FROM core.tenant WHERE tenant_id = %s)"
    )
    for table in ("moving_tenant", "touched_day"):
        source.execute(deletion.format(sql.Identifier(table)), [tenant_id])


def patiently(connection: Connection, statement: str, values: Any) -> dict[str, Any]:
    """Return the one row of a statement that waits for writers, again where one takes long."""
    for _ in range(LOCK_ATTEMPTS):
        try:
            return one(connection, statement, values)
        except psycopg.errors.LockNotAvailable:
            continue
    raise CannotMove("A transaction of a writer or a refresh does not end; see pg_stat_activity, and try again.")


@contextmanager
def claimed(home: Connection) -> Iterator[None]:
    """Have moves to oneself; one that was killed a moment ago may still seem to have them."""
    until = time.monotonic() + CLAIM_SECONDS
    while not one(home, "SELECT api_internal.claim('move') AS claimed")["claimed"]:
        if time.monotonic() > until:
            raise CannotMove("Another move is under way.")
        time.sleep(0.2)
    try:
        yield
    finally:
        if not home.closed:
            home.execute("SELECT api_internal.release('move')")
