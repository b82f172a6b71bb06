"""What day it is by the session's clock does not matter: psql and BI tools bring the time zone of whoever runs them.

2024-03-31 has 23 hours in Berlin and 2024-10-27 has 25, so what adds '1 day' to a moment there misses the end of
a day of UTC, or reaches into the next one.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from tests.support import sql_client
from tests.support.moments import DAY, HOUR, MINUTE, micros
from tests.support.reference_model import Model
from tests.support.stored import Happening, Item

SPRING = micros(datetime(2024, 3, 31, tzinfo=UTC))
AUTUMN = micros(datetime(2024, 10, 27, tzinfo=UTC))
ADA = ("default", "ada")

clocks = pytest.mark.parametrize("clock", ["UTC", "Europe/Berlin"])
days = pytest.mark.parametrize("day", [SPRING, AUTUMN], ids=["spring", "autumn"])


def filled(db: psycopg.Connection[Any], day: int) -> Model:
    """Fill three days, below the horizon, with a reading and an event every half hour."""
    model = Model()
    sql_client.place_horizon(db, day + 5 * DAY)
    moments = range(day - DAY, day + 2 * DAY, 30 * MINUTE)
    items = [Item(*ADA, "watch", ts, 60.0 + turn, turn, None) for turn, ts in enumerate(moments)]
    events = [Happening("default", str(ts), "web", "click", ts) for ts in moments]
    for write, keep, batch in ((sql_client.write, model.write, items), (sql_client.happen, model.happen, events)):
        write(db, batch)  # type: ignore[operator]
        keep(batch)  # type: ignore[operator]
    return model


def wrong(db: psycopg.Connection[Any], model: Model, day: int) -> list[str]:
    """Ask for ranges that begin and end in the hours around midnight; return the questions answered wrongly."""
    found = []
    ends = [day + turn * DAY + hours * HOUR for turn in (0, 1) for hours in (-1, 0, 1)]
    for start, end in ((start, end) for start in ends for end in ends if start < end):
        asked: list[tuple[str, Callable[..., Any], Callable[..., Any], tuple[Any, ...]]] = [
            ("summary", sql_client.summary, model.summary, (*ADA, start, end)),
            ("vitals", sql_client.vitals, model.vitals, (*ADA, start, end, "1h")),
            ("event counts", sql_client.counts, model.counts, ("default", start, end, "1h")),
            ("event counts, view", sql_client.viewed_counts, model.counts, ("default", start, end, "1h")),
        ]
        for name, ask, right, question in asked:
            if ask(db, *question) != right(*question):
                found.append(f"{name} from {(start - day) // HOUR} h to {(end - day) // HOUR} h")
    return found


@clocks
@days
def test_stale_days_are_those_of_utc(calm: psycopg.Connection[Any], day: int, clock: str) -> None:
    model = filled(calm, day)
    sql_client.set_clock(calm, clock)
    assert wrong(calm, model, day) == []


@clocks
@days
def test_a_refresh_covers_days_of_utc(calm: psycopg.Connection[Any], day: int, clock: str) -> None:
    model = filled(calm, day)
    sql_client.set_clock(calm, clock)
    sql_client.refresh(calm, day + 5 * DAY, "1 day")
    sql_client.set_clock(calm, "UTC")
    assert sql_client.stale_days(calm) == 0
    assert wrong(calm, model, day) == []
    assert sql_client.drift(calm, day - DAY, day + 2 * DAY) == []


@clocks
@days
def test_one_fresh_day_among_stale_ones(calm: psycopg.Connection[Any], day: int, clock: str) -> None:
    model = filled(calm, day)
    sql_client.refresh(calm, day + 5 * DAY)
    late = [Item(*ADA, "watch", day + hours * HOUR + MINUTE, 50.0, 1, None) for hours in (-1, 23)]
    sql_client.write(calm, late)
    model.write(late)
    sql_client.set_clock(calm, clock)
    assert wrong(calm, model, day) == []


@pytest.mark.parametrize(
    ("tz", "day"),
    [
        ("America/Havana", datetime(2024, 11, 3, tzinfo=UTC)),
        ("Atlantic/Azores", datetime(2024, 10, 27, tzinfo=UTC)),
        ("America/Havana", datetime(2020, 11, 1, tzinfo=UTC)),
        ("America/Sao_Paulo", datetime(2018, 11, 4, tzinfo=UTC)),
        ("America/St_Johns", datetime(2010, 11, 7, tzinfo=UTC)),
        ("America/St_Johns", datetime(2010, 3, 14, tzinfo=UTC)),
        ("Pacific/Apia", datetime(2011, 12, 30, tzinfo=UTC)),
    ],
    ids=lambda value: value if isinstance(value, str) else f"{value:%Y-%m-%d}",
)
@pytest.mark.parametrize("bucket", ["1d", "1w", "1mo"])
def test_local_days_begin_where_the_date_does(
    calm: psycopg.Connection[Any], tz: str, day: datetime, bucket: str
) -> None:
    """Midnight comes twice in Havana and on the Azores, at no time in São Paulo; St. John's changed at 00:01."""
    start = micros(day)
    sql_client.place_horizon(calm, start - 5 * DAY)
    model = Model()
    items = [Item(*ADA, "watch", ts, 70.0, 1, 2.5) for ts in range(start - DAY, start + 2 * DAY, 10 * MINUTE)]
    items += [Item(*ADA, "watch", ts + 30_000_000, 71.0, 3, 2.5) for ts in range(start, start + 6 * HOUR, MINUTE)]
    sql_client.write(calm, items)
    model.write(items)
    question = (*ADA, start - 3 * DAY, start + 3 * DAY, bucket, tz)
    assert sql_client.series(calm, *question)[0] == model.series(*question)
    sql_client.refresh(calm, start + 5 * DAY)
    assert sql_client.series(calm, *question)[0] == model.series(*question)
