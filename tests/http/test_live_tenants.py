"""Live updates of two tenants with users of the same names: what each client hears is true of its own tenant."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from typing import NamedTuple

import psycopg
import pytest

from service.database.pool import make_pool
from service.ingest import write_load
from service.ingest.writer import Writer, running_writer
from service.live import load_shedding, pacing
from service.live.hub import Hub, running_hub
from service.model.pg_time import to_micros
from service.model.reading import Row
from service.model.timestamps import parse_timestamp
from service.settings import Settings
from tests.support.live_clients import Ear
from tests.support.wire import PATIENCE

START = to_micros(parse_timestamp("2024-01-15T10:00:00Z"))
SECOND = 1_000_000
RATES = {"one": 60.0, "two": 160.0, "three": 110.0}  # where a tenant's heart rates begin, so that none is another's
HEARD = ("one", "two")
ADA, BOB = ("ada",), ("bob", "eve")
INSERT = b"""
    INSERT INTO api.readings (tenant_id, user_id, device_id, ts, heart_rate)
      SELECT %s, 'ada', 'watch', '2024-01-15 10:00Z'::timestamptz + n * INTERVAL '1 second', %s
        FROM generate_series(%s::int, %s::int) AS n
"""


class Setting(NamedTuple):
    """A hub, and two ways to write: as a request to this process, and from elsewhere."""

    db: psycopg.Connection
    hub: Hub
    writer: Writer

    async def write(self, tenant_id: str, rate: float, first: int, last: int, *, own: bool) -> None:
        """Write readings of ada, one a second."""
        if own:
            rows = [Row("ada", "watch", START + n * SECOND, rate) for n in range(first, last + 1)]
            await self.writer.write(tenant_id, rows)
        else:
            await asyncio.to_thread(self.db.execute, INSERT, [tenant_id, rate, first, last])


@asynccontextmanager
async def running(url: str, db: psycopg.Connection) -> AsyncIterator[Setting]:
    settings = Settings(url)
    async with (
        make_pool(settings) as pool,
        running_hub(settings, pool) as hub,
        running_writer(pool, 2, 1000, 3.0, hub.own_commits) as writer,
    ):
        await hub.listening.wait()
        yield Setting(db, hub, writer)


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not true():
            await asyncio.sleep(0.005)


def rates(ear: Ear) -> list[float]:
    """The heart rates of ada in the messages of a client, in order, which are of no other user."""
    users = [user for message in ear.heard("state", "readings") for user in message.get("users", [message])]
    measured = [user for user in users if user["latest"] is not None]
    assert {user["user_id"] for user in measured} <= {"ada"}
    return [user["latest"]["heart_rate"]["value"] for user in measured]


@pytest.mark.parametrize("own", [True, False])
def test_each_tenant_hears_of_its_own_user_of_a_name(database_url: str, db: psycopg.Connection, own: bool) -> None:
    ears = {(tenant_id, named): Ear() for tenant_id in HEARD for named in (None, ADA, BOB)}

    def hear(beat: int) -> bool:
        """Whether all that listen to ada have heard this."""
        return all(
            rates(ear)[-1:] == [RATES[tenant_id] + beat] for (tenant_id, named), ear in ears.items() if named != BOB
        )

    async def write_and_hear() -> None:
        async with running(database_url, db) as setting:

            async def write(beat: int, second: int) -> None:
                """Write at the same moment in all tenants."""
                writes = (setting.write(each, RATES[each] + beat, second, second, own=own) for each in RATES)
                await asyncio.gather(*writes) if own else [await each for each in writes]

            await write(0, 0)
            with ExitStack() as stack:
                for (tenant_id, named), ear in ears.items():
                    stack.enter_context(setting.hub.subscribed(ear, tenant_id, named))
                await until(lambda: hear(0))
                for beat in range(1, 6):
                    await write(beat, beat)
                    await until(lambda beat=beat: hear(beat))
                # A reading that is known already: by the way of upserts, and announced by key.
                await write(6, 5)
                await until(lambda: hear(6))
                # One tenant alone: the other hears nothing.
                heard = {key: len(ear.messages) for key, ear in ears.items()}
                await setting.write("one", 67, 6, 6, own=own)
                await until(lambda: rates(ears["one", None])[-1] == rates(ears["one", ADA])[-1] == 67)
                await asyncio.sleep(2 * pacing.MAX_PAUSE)
                assert [len(ears["two", named].messages) for named in (None, ADA, BOB)] == [
                    heard["two", named] for named in (None, ADA, BOB)
                ]

    asyncio.run(write_and_hear())
    for (tenant_id, named), ear in ears.items():
        assert all(RATES[tenant_id] <= rate < RATES[tenant_id] + 50 for rate in rates(ear)), (tenant_id, named)
        assert named != BOB or not rates(ear)


@pytest.mark.parametrize("own", [True, False])
def test_what_is_skipped_under_load_is_counted_for_its_tenant(
    database_url: str, db: psycopg.Connection, monkeypatch: pytest.MonkeyPatch, own: bool
) -> None:
    monkeypatch.setattr(write_load, "WINDOW", 0)
    monkeypatch.setattr(write_load, "HIGH", 0.0)
    monkeypatch.setattr(load_shedding, "MAX_SNAPSHOT_INTERVAL", 0.01)
    ears = {tenant_id: Ear() for tenant_id in HEARD}
    counts = {"one": 3, "two": 5, "three": 7}

    def counted(tenant_id: str) -> int:
        return sum(message.get("count", 0) for message in ears[tenant_id].heard("state"))

    async def press() -> None:
        async with running(database_url, db) as setting:
            with ExitStack() as stack:
                for tenant_id, ear in ears.items():
                    stack.enter_context(setting.hub.subscribed(ear, tenant_id, None))
                await until(lambda: all(ear.messages for ear in ears.values()))
                for tenant_id, count in counts.items():
                    await setting.write(tenant_id, RATES[tenant_id], 1, count, own=own)
                await until(lambda: all(counted(tenant_id) >= counts[tenant_id] for tenant_id in HEARD))
                await asyncio.sleep(2 * pacing.MIN_PAUSE)

    asyncio.run(press())
    for tenant_id, ear in ears.items():
        assert counted(tenant_id) == counts[tenant_id]
        assert set(rates(ear)) == {RATES[tenant_id]}
        assert not ear.heard("readings")


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT api.erase_user('one', 'ada')",
        "SELECT api.delete_readings('one', 'ada', '-infinity', 'infinity')",
        "SELECT api.set_device('one', 'watch', NULL, 0)",
        "SELECT api_internal.announce(array_fill(user_key, ARRAY[20001]), array_fill(now(), ARRAY[20001]))"
        "  FROM core.app_user JOIN core.tenant USING (tenant_key) WHERE tenant_id = 'one'",
    ],
)
def test_a_tenant_whose_users_are_not_named_gets_the_state_alone(
    database_url: str, db: psycopg.Connection, statement: str
) -> None:
    ears = {(tenant_id, named): Ear() for tenant_id in HEARD for named in (None, ADA)}

    async def change() -> None:
        async with running(database_url, db) as setting:
            for tenant_id in HEARD:
                await setting.write(tenant_id, RATES[tenant_id], 1, 1, own=False)
            await until(lambda: setting.hub.notifications == len(HEARD))
            with ExitStack() as stack:
                for (tenant_id, named), ear in ears.items():
                    stack.enter_context(setting.hub.subscribed(ear, tenant_id, named))
                await until(lambda: all(ear.messages for ear in ears.values()))
                await asyncio.to_thread(db.execute, statement.encode())
                await until(lambda: all(len(ears["one", named].heard("state")) == 2 for named in (None, ADA)))
                await asyncio.sleep(2 * pacing.MAX_PAUSE)

    asyncio.run(change())
    assert [len(ears["two", named].messages) for named in (None, ADA)] == [1, 1]
