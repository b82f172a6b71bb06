"""What the HTTP tests need besides the service and its database."""

from collections.abc import Iterator

import httpx
import pytest

from tests.http.wire import PATIENCE


@pytest.fixture(scope="session")
def visitor(base_url: str) -> Iterator[httpx.Client]:
    """Offer a client to tests that do not mind what is stored: nothing is emptied for them."""
    with httpx.Client(base_url=base_url, timeout=PATIENCE) as client:
        yield client
