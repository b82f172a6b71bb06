"""A loop whose clock goes when nothing is left to do."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Iterator
from typing import Any

import pytest

from service import precedence
from tests.unit.precedence import Run


class Timeless(selectors.SelectSelector):
    """Waits for nothing: what would be waited for is added to `now`."""

    now = 1000.0

    def select(self, timeout: float | None = None) -> list[Any]:
        found = super().select(0)
        self.now += 0.0 if found else (timeout or 0.0)
        return found


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Run on a loop whose clock goes when nothing is left to do."""
    clock = Timeless()
    loop = asyncio.SelectorEventLoop(clock)
    monkeypatch.setattr(loop, "time", lambda: clock.now)
    monkeypatch.setattr(precedence, "monotonic", lambda: clock.now)
    yield loop.run_until_complete
    loop.close()
