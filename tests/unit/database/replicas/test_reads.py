"""Which server a read goes to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any, TypeVar, cast

import psycopg
import pytest
from psycopg import errors
from psycopg_pool import PoolTimeout

from service.database.pool import Connection, FairPool, Pool
from service.database.replicas import reads as module
from service.database.replicas.positions import NOWHERE, Position, PrimaryLog
from service.database.replicas.reads import Replicas
from service.database.replicas.replica import Look, Replica
from service.errors import Overloaded

Result = TypeVar("Result")
SYSTEM = 7
WRITTEN = Position(1, 800)


class Server(Replica):
    """A replica that has come so far, and connects to nothing."""

    def __init__(self, name: str, reached: Position, *, ago: float = 0.0, in_recovery: bool = True) -> None:
        super().__init__(f"postgresql://{name}/one", cast(FairPool, None))
        self.connected: Exception | None = None
        self.look = Look(monotonic() - ago, in_recovery, reached, SYSTEM)

    @asynccontextmanager
    async def connection_at(self, position: Position) -> AsyncIterator[Connection | None]:
        if self.connected is not None:
            raise self.connected
        yield cast(Connection, self) if position.is_within(self.reached) else None


class Log(PrimaryLog):
    """The log of a primary that is at a position, or away."""

    def __init__(self, at: Position | None) -> None:
        super().__init__("postgresql://primary/one")
        self.at = at
        self.system = SYSTEM

    async def end(self) -> Position:
        if self.at is None:
            raise Overloaded("away")
        return self.at


@pytest.fixture(autouse=True)
def primary(monkeypatch: pytest.MonkeyPatch) -> str:
    """The primary, which answers everything."""

    async def with_connection(pool: Any, work: Callable[[Any], Awaitable[Result]]) -> Result:
        return await work("primary")

    monkeypatch.setattr(module, "with_connection", with_connection)
    return "primary"


def replicas_of(*servers: Server, samples: int = 10, wait: float = 0.02) -> Replicas:
    """Replicas of a primary that wrote 100 bytes a second for ten seconds, up to 1000 now."""
    made = Replicas(cast(Pool, None), Log(Position(1, 1000)), servers, None, wait, 5.0)
    now = monotonic()
    for second in range(samples):
        made.sample(now - samples + 1 + second, Position(1, 1000 - 100 * (samples - 1 - second)))
    return made


async def name_of(connection: Any) -> str:
    return connection if isinstance(connection, str) else cast(Server, connection).name.split(":")[0]


def asked(replicas: Replicas, position: Position, work: Callable[[Any], Awaitable[str]] = name_of) -> str:
    """Return the name of the server that a read is answered by."""

    class Shared:
        def newest(self, names: Any) -> Position:
            return NOWHERE

    replicas.positions = cast(Any, Shared())
    return asyncio.run(replicas.reads([], position).read(work))


@pytest.mark.parametrize(
    ("reached", "lag", "is_used"),
    [
        (Position(1, 1000), 0.0, True),
        (Position(1, 950), 0.0, True),  # what it misses was written this second
        (Position(1, 700), 2.0, True),
        (Position(1, 550), 4.0, True),
        (Position(1, 200), 7.0, False),
        (Position(1, 50), 9.0, False),
        (Position(2, 2000), 0.0, True),  # of a later timeline than is known of the primary
    ],
)
def test_a_replica_is_used_unless_it_is_too_far_behind(reached: Position, lag: float, is_used: bool) -> None:
    server = Server("one", reached)
    replicas = replicas_of(server)
    assert replicas.lag(server) == pytest.approx(lag, abs=0.1)
    assert replicas.states() == {"one:5432": (is_used, replicas.lag(server))}
    assert asked(replicas, NOWHERE) == ("one" if is_used else "primary")


def test_one_that_has_nothing_of_what_is_known_may_be_behind_for_any_time() -> None:
    server = Server("one", Position(1, 50))
    replicas = replicas_of(server, samples=2)
    assert (replicas.lag(server) or 0) < 5
    assert not replicas.is_usable(server)


def test_without_word_of_the_primary_nothing_is_known_to_be_fresh() -> None:
    server = Server("one", Position(1, 1000), ago=-20)
    assert replicas_of(server).lag(server) == pytest.approx(18, abs=0.1)
    server = Server("two", Position(1, 1000))
    assert replicas_of(server, samples=0).lag(server) is None


@pytest.mark.parametrize("look", [None, Look(monotonic(), True, Position(1, 1000), SYSTEM + 1)])
def test_what_is_away_or_of_another_cluster_is_left_alone(look: Look | None) -> None:
    server = Server("one", NOWHERE)
    server.look = look
    replicas = replicas_of(server)
    assert replicas.states() == {"one:5432": (False, None)}
    assert asked(replicas, NOWHERE) == "primary"


def test_the_address_of_the_primary_is_no_replica() -> None:
    primary, strayed = Server("one", Position(1, 1000), in_recovery=False), Server("two", Position(2, 900))
    strayed.look = Look(monotonic(), False, Position(2, 900), SYSTEM)
    replicas = replicas_of(primary, strayed)
    assert replicas.states() == {"two:5432": (False, None)}


def test_a_read_goes_to_the_one_that_has_what_was_written() -> None:
    behind, ahead = Server("behind", Position(1, 790)), Server("ahead", Position(1, 800))
    replicas = replicas_of(behind, ahead)
    assert {asked(replicas, WRITTEN) for _ in range(4)} == {"ahead"}
    assert {asked(replicas, NOWHERE) for _ in range(4)} == {"behind", "ahead"}
    assert replicas.counts == {"ahead:5432": 6, "behind:5432": 2}


def test_it_waits_a_little_for_one_that_nearly_has_it() -> None:
    server = Server("one", Position(1, 950))
    replicas = replicas_of(server, wait=10.0)

    async def ask() -> str:
        reads = replicas.reads([], Position(1, 1000))
        reading = asyncio.create_task(reads.read(name_of))
        while not server.waiting:
            await asyncio.sleep(0)
        server.look = Look(monotonic(), True, Position(1, 1000), SYSTEM)
        server.let_go()
        return await reading

    assert asyncio.run(ask()) == "one"


@pytest.mark.parametrize(
    ("reached", "position", "waits"),
    [
        (Position(1, 950), Position(1, 1000), True),
        (Position(1, 700), Position(1, 1000), False),  # two seconds behind
        (Position(2, 950), Position(1, 1000), False),  # lost with its timeline, or still on the way
        (Position(1, 950), Position(2, 1000), False),  # follows a primary that was replaced
    ],
)
def test_it_waits_for_nothing_that_is_not_to_be_expected(reached: Position, position: Position, waits: bool) -> None:
    server = Server("one", reached)
    replicas = replicas_of(server)
    waited = []

    async def reach(position: Position, seconds: float) -> bool:
        waited.append(position)
        return False

    server.reach = reach  # type: ignore[method-assign]
    assert asked(replicas, position) == "primary"
    assert bool(waited) is waits


def test_a_failover_begins_another_record_of_the_primary() -> None:
    follows, strays = Server("follows", Position(2, 900)), Server("strays", Position(1, 5000))
    replicas = replicas_of(follows, strays)
    replicas.sample(monotonic(), Position(2, 900))
    assert len(replicas.samples) == 1
    assert replicas.is_usable(follows)
    assert not replicas.is_usable(strays)
    assert asked(replicas, Position(2, 900)) == "follows"


CONFLICT = errors.SerializationFailure("canceling statement due to conflict with recovery")


@pytest.mark.parametrize(
    "error", [CONFLICT, errors.UndefinedFunction(), errors.InvalidParameterValue(), psycopg.OperationalError()]
)
def test_what_fails_on_a_replica_is_read_on_the_primary(error: Exception) -> None:
    async def work(connection: Any) -> str:
        if connection != "primary":
            raise error
        return "primary"

    replicas = replicas_of(Server("one", Position(1, 1000)))
    assert asked(replicas, NOWHERE, work) == "primary"
    assert replicas.counts == {"primary": 1}


def test_a_replica_without_a_connection_to_spare_is_passed_by() -> None:
    server = Server("one", Position(1, 1000))
    server.connected = PoolTimeout()
    assert asked(replicas_of(server), NOWHERE) == "primary"


def test_a_question_that_takes_too_long_is_not_asked_twice() -> None:
    async def work(connection: Any) -> str:
        raise errors.QueryCanceled

    with pytest.raises(Overloaded):
        asked(replicas_of(Server("one", Position(1, 1000))), NOWHERE, work)


def test_all_of_an_answer_is_from_one_replica_or_the_primary_from_some_on() -> None:
    one, two = Server("one", Position(1, 1000)), Server("two", Position(1, 1000))
    replicas = replicas_of(one, two)

    async def ask() -> list[str]:
        reads = replicas.reads([], NOWHERE)
        found = [await reads.read(name_of) for _ in range(3)]
        servers = {"one": one, "two": two}
        servers[found[0]].connected = psycopg.OperationalError()
        found.append(await reads.read(name_of))
        servers[found[0]].connected = None
        return [*found, await reads.read(name_of)]

    replicas.positions = cast(Any, type("Shared", (), {"newest": lambda self, names: NOWHERE})())
    first, *others = asyncio.run(ask())
    assert others == [first, first, "primary", "primary"]


def test_without_shared_positions_a_read_must_have_all_that_is_committed() -> None:
    servers = Server("behind", Position(1, 990)), Server("level", Position(1, 1000))
    replicas = replicas_of(*servers)
    assert asyncio.run(replicas.reads([], NOWHERE).read(name_of)) == "level"
    cast(Log, replicas.log).at = None
    assert asyncio.run(replicas.reads([], NOWHERE).read(name_of)) == "primary"
