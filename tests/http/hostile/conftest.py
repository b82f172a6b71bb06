"""After whatever hostile tests did, everything works as before."""

import socket
from collections.abc import Iterator

import httpx
import pytest

from tests.support.wire import (
    dial,
    reading,
    summary,
)


@pytest.fixture(autouse=True)
def everything_works_afterwards(visitor: httpx.Client) -> Iterator[None]:
    """Whatever a test did, the service is healthy and takes and answers a reading."""
    yield
    assert visitor.get("/health").status_code == 200
    assert visitor.post("/v1/readings", json=reading(user_id="afterwards", steps=7)).status_code == 200
    assert summary(visitor, "afterwards")["steps"] == 7


@pytest.fixture
def line(base_url: str) -> Iterator[socket.socket]:
    with dial(base_url) as opened:
        yield opened
