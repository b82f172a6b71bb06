"""Open files: as many as the system allows, and some are left beside connections."""

from __future__ import annotations

import resource

import pytest

from service.server.open_files import OTHERS, backlog, raise_limit, room_for_connections


def test_open_files_are_as_many_as_the_system_allows() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(256, before[1]), before[1]))
        assert raise_limit() == before[1] == resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.parametrize("limit", [256, 1024, 20_000, 1_000_000])
def test_there_are_files_left_for_connections_that_wait_and_for_others(limit: int) -> None:
    assert room_for_connections(limit) + 2 * backlog(limit) + OTHERS <= max(limit, 256)
