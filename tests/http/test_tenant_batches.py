"""Requests of two tenants in one transaction: the same names, and nothing of one in the other."""

from __future__ import annotations

import asyncio
from collections import Counter

import psycopg

from service.database.pool import make_pool
from service.ingest.writer import running_writer
from service.model.pg_time import to_micros
from service.model.reading import Row
from service.model.timestamps import parse_timestamp
from service.settings import Settings

NOON = to_micros(parse_timestamp("2024-01-15T12:00:00Z"))
STORED = """
    SELECT t.tenant_id, extract(minute FROM r.ts)::int, r.heart_rate, r.steps
      FROM core.reading AS r JOIN core.app_user AS u USING (user_key) JOIN core.tenant AS t USING (tenant_key)
     ORDER BY 1, 2
"""


def row(minute: int, heart_rate: float | None, steps: int | None = None) -> Row:
    return Row("ada", "watch", NOON + minute * 60_000_000, heart_rate, steps)


def write_together(url: str, *requests: list[tuple[str, list[Row]]]) -> list[list[Counter[str]]]:
    """Write requests, given by tenant and rows, one after the other: those in one list by one transaction."""

    async def write() -> list[list[Counter[str]]]:
        settings = Settings(url)
        async with make_pool(settings) as pool, running_writer(pool, 1, 1000, 3.0) as writer:
            return [
                await asyncio.gather(*(writer.write(tenant_id, rows) for tenant_id, rows in together))
                for together in requests
            ]

    return asyncio.run(write())


def test_new_readings_of_two_tenants_are_kept_apart(database_url: str, db: psycopg.Connection) -> None:
    ((one, two),) = write_together(
        database_url, [("one", [row(0, 60), row(1, 61)]), ("two", [row(0, 160), row(2, 162)])]
    )
    assert one == two == Counter(inserted=2)
    assert db.execute(STORED).fetchall() == [
        ("one", 0, 60, None),
        ("one", 1, 61, None),
        ("two", 0, 160, None),
        ("two", 2, 162, None),
    ]
    assert db.execute("SELECT count(DISTINCT xmin::text) FROM core.reading").fetchone() == (1,)


def test_known_and_repeated_readings_of_two_tenants_are_kept_apart(database_url: str, db: psycopg.Connection) -> None:
    _, (one, two, three) = write_together(
        database_url,
        [("one", [row(0, 60, 1)])],
        [
            ("one", [row(0, 60), row(0, None, 2), row(0, None, 2)]),  # unchanged, updated, unchanged
            ("two", [row(0, 60), row(0, 61), row(0, None, 5)]),  # inserted, updated, updated
            ("one", [row(0, 62)]),
        ],
    )
    assert one == Counter(unchanged=2, updated=1)
    assert two == Counter(inserted=1, updated=2)
    assert three == Counter(updated=1)
    assert db.execute(STORED).fetchall() == [("one", 0, 62, 2), ("two", 0, 61, 5)]


def test_a_device_is_registered_in_each_tenant(database_url: str, db: psycopg.Connection) -> None:
    phone = Row("ada", "phone", NOON, 70.0)
    write_together(database_url, [("one", [row(0, 60), phone]), ("two", [phone, row(0, 60)])])
    # Ties of priority go to the device that was registered first, in each tenant by its own order.
    query = "SELECT t.tenant_id, d.device_id FROM core.device AS d JOIN core.tenant AS t USING (tenant_key)"
    assert sorted(db.execute(f"{query} ORDER BY d.device_key".encode()).fetchall(), key=lambda found: found[0]) == [
        ("one", "watch"),
        ("one", "phone"),
        ("two", "phone"),
        ("two", "watch"),
    ]


def test_an_erasure_in_one_tenant_leaves_the_other(database_url: str, db: psycopg.Connection) -> None:
    write_together(database_url, [("one", [row(0, 60)]), ("two", [row(0, 160)])])
    db.execute("SELECT api.erase_user('one', 'ada')")
    ((one, two),) = write_together(database_url, [("one", [row(1, 61)]), ("two", [row(0, 161)])])
    assert (one, two) == (Counter(inserted=1), Counter(updated=1))
    assert db.execute(STORED).fetchall() == [("one", 1, 61, None), ("two", 0, 161, None)]
