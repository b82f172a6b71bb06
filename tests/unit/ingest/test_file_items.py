"""Items of a file, taken in a thread: all of them in order, where they end, and that the file can be taken away."""

from __future__ import annotations

import asyncio
import io
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pytest

from service.imports.adapter import Damaged, Found, ImportContext, Item, Sample
from service.ingest.file_items import SOME, Source, Stopped, items_of_file


class Numbers:
    """An adapter that yields so many readings, all in one thread, and then does what it is given to do."""

    name = "numbers"
    title = "numbers"

    def __init__(self, count: int, damage: Damaged | None = None, reads_on: bool = False) -> None:
        self.count = count
        self.damage = damage
        self.reads_on = reads_on
        self.threads: set[int] = set()
        self.is_closed = threading.Event()

    def sniffs(self, sample: Sample) -> bool:
        return True

    def read(self, source: BinaryIO, context: ImportContext) -> Iterator[Item]:
        try:
            for number in range(self.count):
                self.threads.add(threading.get_ident())
                yield Found("number", {"steps": number}, str(number))
            while self.reads_on:
                source.seek(0)
                source.read(1)
            if self.damage is not None:
                raise self.damage
        finally:
            self.is_closed.set()


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Source]:
    path = tmp_path / "file"
    path.write_bytes(b"content")
    with Source(io.FileIO(path)) as source:
        yield source


@pytest.mark.parametrize("count", [0, 1, SOME, SOME + 1, 3 * SOME])
def test_all_items_are_taken_in_order_and_in_one_thread(source: Source, count: int) -> None:
    adapter = Numbers(count)

    async def collect() -> list[str]:
        async with items_of_file(adapter, source, ImportContext()) as parts:
            return [
                item.at for some in [some async for some in parts] for item in some.items if isinstance(item, Found)
            ]

    assert asyncio.run(collect()) == [str(number) for number in range(count)]
    assert len(adapter.threads - {threading.get_ident()}) == min(count, 1)


def test_damage_comes_with_the_last_items(source: Source) -> None:
    adapter = Numbers(SOME + 3, Damaged("here", "is broken"))

    async def collect() -> list[tuple[int, str | None]]:
        async with items_of_file(adapter, source, ImportContext()) as parts:
            return [(len(some.items), some.damage and str(some.damage)) async for some in parts]

    assert asyncio.run(collect()) == [(SOME, None), (3, "here: is broken")]


def test_what_is_left_is_closed(source: Source) -> None:
    adapter = Numbers(10 * SOME)

    async def leave() -> None:
        async with items_of_file(adapter, source, ImportContext()) as parts:
            async for _ in parts:
                break

    asyncio.run(leave())
    assert adapter.is_closed.is_set()


def test_an_adapter_that_finds_nothing_for_long_is_stopped(source: Source) -> None:
    adapter = Numbers(1, reads_on=True)

    async def wait() -> None:
        async with asyncio.timeout(0.2), items_of_file(adapter, source, ImportContext()) as parts:
            async for _ in parts:
                pass

    with pytest.raises(TimeoutError):
        asyncio.run(wait())
    assert adapter.is_closed.is_set()
    with pytest.raises(Stopped):
        source.read(1)
