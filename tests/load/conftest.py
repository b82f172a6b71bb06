"""The importer on an empty service, and a service that misbehaves."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from scripts.load.__main__ import main
from tests.load.readings import Load
from tests.support.stand_in import StandIn, serving


@pytest.fixture
def load(client: httpx.Client, base_url: str, capsys: pytest.CaptureFixture[str]) -> Load:
    """Import into an empty service; return the exit status and the output of both streams."""

    def run(*arguments: object) -> tuple[int, str, str]:
        status = main(["--url", base_url, "--no-progress", *map(str, arguments)])
        said = capsys.readouterr()
        return status, said.out, said.err

    return run


@pytest.fixture
def stand_in() -> StandIn:
    return StandIn()


@pytest.fixture
def address(stand_in: StandIn) -> Iterator[str]:
    with serving(stand_in) as url:
        yield url
