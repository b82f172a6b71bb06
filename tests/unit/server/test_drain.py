"""A process that drains serves on for its time, and live clients leave it one after the other."""

from __future__ import annotations

import asyncio
import signal
from itertools import pairwise
from typing import Any

import pytest
import uvicorn

from service.live.connections import GOING_AWAY
from service.server.connection_limit import Connections
from service.server.drain import TICK_SECONDS, Drain, DrainingServer


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answer nothing."""


class Live:
    """A connection of a live client, or of none where it has no way to be closed."""

    def __init__(self, is_live: bool = True) -> None:
        self.code = 0
        self.on_shutdown = self.close if is_live else None

    def close(self, code: int, reason: str) -> None:
        self.code = code
        self.on_shutdown = None


def server(drain_seconds: float | None) -> DrainingServer:
    """A server that has started."""
    made = DrainingServer(uvicorn.Config(app), Connections(10, None), drain_seconds)
    made.started = True
    return made


def ticks_until_exit(draining: DrainingServer, most: int = 100) -> int:
    """Go on until it stops."""

    async def tick() -> int:
        for number in range(1, most):
            if await draining.on_tick(1):
                return number
        return most

    return asyncio.run(tick())


@pytest.mark.parametrize("live", [0, 1, 7, 2000])
def test_live_clients_leave_evenly_in_the_second_half(live: int) -> None:
    drain, left = Drain(10), [live]
    while not drain.is_over:
        left.append(left[-1] - drain.step(0.1, left[-1]))
    assert left[50] == live
    assert left[-1] == 0
    leaving = [before - after for before, after in pairwise(left)]
    assert max(leaving) <= live // 50 + 1


def test_sigterm_drains_and_then_stops() -> None:
    draining = server(1.0)
    connections = [Live(), Live(is_live=False), Live()]
    draining.server_state.connections = set(connections)  # type: ignore[arg-type]
    assert not draining.connections.withdrawn
    draining.handle_exit(signal.SIGTERM, None)
    draining.handle_exit(signal.SIGTERM, None)  # of systemd, and of the supervisor
    assert draining.connections.withdrawn
    assert draining.connections.draining
    assert not draining.should_exit
    assert ticks_until_exit(draining) == pytest.approx(1.0 / TICK_SECONDS, abs=1)
    assert [each.code for each in connections] == [GOING_AWAY, 0, GOING_AWAY]


def test_sigint_ends_a_drain() -> None:
    draining = server(1000)
    draining.handle_exit(signal.SIGTERM, None)
    assert ticks_until_exit(draining, most=5) == 5
    draining.handle_exit(signal.SIGINT, None)
    assert ticks_until_exit(draining) == 1
    assert not draining.force_exit


def test_one_that_does_not_drain_stops_at_once() -> None:
    plain = server(None)
    plain.handle_exit(signal.SIGTERM, None)
    assert plain.should_exit
    assert not plain.connections.withdrawn


def test_one_that_has_not_started_stops_at_once() -> None:
    starting = server(10)
    starting.started = False
    starting.handle_exit(signal.SIGTERM, None)
    assert starting.should_exit
