"""A user with a reading and samples."""

from __future__ import annotations

import httpx
import psycopg
import pytest

from tests.http.metric_answers import DEFAULT, sample
from tests.support.moments import HOUR, MINUTE
from tests.support.samples import write_samples
from tests.support.wire import reading


@pytest.fixture
def filled(client: httpx.Client, db: psycopg.Connection) -> httpx.Client:
    """A reading, and samples of three kinds in the same quarter and one in another."""
    client.post("/v1/readings", json=reading(device_id="watch", heart_rate=75, steps=40))
    write_samples(
        db,
        DEFAULT,
        [
            sample("spo2", 96.5),
            sample("spo2", 98.5, 5 * MINUTE),
            sample("distance", 120.25, 2 * MINUTE),
            sample("distance", 30.0, 40 * MINUTE, "phone"),
            sample("body_weight", 71.5, HOUR),
            sample("body_weight", 71.2, 2 * HOUR),
        ],
    )
    return client
