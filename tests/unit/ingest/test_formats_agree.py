"""Readings as JSON, NDJSON and CSV: whichever way they come, rows and refusals are those of the model."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from service.ingest.body_formats import BodyFormat, csv_format, json_format, ndjson_format
from service.ingest.pipeline import validated
from service.ingest.receipt import Tally
from service.metrics.counters import Counters
from service.model.fields import Bounds
from service.model.reading import READING, Row, to_row
from tests.support.examples import examples
from tests.support.metrics import REGISTRY

START = datetime(2025, 1, 15, 10, tzinfo=UTC)
BOUNDS = Bounds(datetime(1900, 1, 1, tzinfo=UTC), START + timedelta(days=2), REGISTRY)
COLUMNS = ["user_id", "timestamp", "end", "worn", "daily_total", "heart_rate", "steps", "calories", "spo2", "distance"]
moments = st.builds(
    lambda seconds: (START + timedelta(seconds=seconds)).isoformat(),
    st.sampled_from([-60, 0, 0.5, 59, 60, 600, 3600, 82_800, 86_400, 90_000, 180_000]),
)
items = st.fixed_dictionaries(
    {"user_id": st.sampled_from(["ada", "bob"]), "timestamp": moments},
    optional={
        "end": st.none() | moments,
        "worn": st.none() | st.booleans(),
        "daily_total": st.none() | st.booleans(),
        "heart_rate": st.none() | st.sampled_from([29, 60, 71.5]),
        "steps": st.none() | st.sampled_from([0, 5, 301, 72.0, 72.5, 100_000]),
        "calories": st.none() | st.sampled_from([0, 1.25, 61]),
        "spo2": st.none() | st.sampled_from([49, 97.5]),
        "distance": st.none() | st.sampled_from([0, 900.5, 901, 10_000]),
    },
)


def by_the_model(sent: list[dict[str, Any]]) -> list[Row]:
    rows = []
    for item in sent:
        try:
            rows.append(to_row(READING.validate_python(item, context=BOUNDS)))
        except ValidationError:
            continue
    return rows


def read(body: bytes, body_format: BodyFormat) -> tuple[list[Any], Tally]:
    tally = Tally(Counters())

    async def pieces() -> AsyncIterator[bytes]:
        yield body

    async def run() -> list[Any]:
        return [row async for rows in validated(body_format, pieces(), BOUNDS, tally) for row in rows]

    return asyncio.run(run()), tally


def in_csv(sent: list[dict[str, Any]]) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for item in sent:
        cells = [item.get(name) for name in COLUMNS]
        writer.writerow(["" if cell is None else json.dumps(cell).strip('"') for cell in cells])
    return out.getvalue().encode()


def fields(row: Any) -> tuple[Any, ...]:
    return (row.user_id, row.device_id, row.timestamp, row.heart_rate, row.steps, row.calories,
            row.samples, row.intervals)  # fmt: skip


@settings(max_examples=examples(150))
@given(st.lists(items, min_size=1, max_size=6))
def test_every_format_reads_the_same(sent: list[dict[str, Any]]) -> None:
    right = [fields(row) for row in by_the_model(sent)]
    bodies = [
        (json.dumps(sent).encode(), json_format()),
        (json.dumps({"readings": sent}).encode(), json_format()),
        ("\n".join(map(json.dumps, sent)).encode() + b"\n", ndjson_format()),
        (in_csv(sent), csv_format()),
    ]
    for body, body_format in bodies:
        rows, tally = read(body, body_format)
        assert [fields(row) for row in rows] == right
        assert (tally.received, tally.rejected) == (len(sent), len(sent) - len(right))
