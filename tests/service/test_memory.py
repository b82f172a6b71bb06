"""Memory that is free goes back to the system, also where it lies among what is in use."""

from __future__ import annotations

import asyncio
import ctypes
from pathlib import Path

import pytest

from service import memory
from service.memory import trimmed_memory

STATM = Path("/proc/self/statm")
MEGABYTES = 60


def resident() -> float:
    """Return how many MB of this process are in memory."""
    return int(STATM.read_text().split()[1]) * 4096 / 1e6


@pytest.mark.skipif(not STATM.exists() or not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="not Linux with glibc")
def test_what_is_free_among_what_is_in_use_goes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "TRIM_SECONDS", 0.02)

    async def take_and_free() -> None:
        async with trimmed_memory():
            before = resident()
            blocks = [(b"x" * 60_000, b"y" * 6_000) for _ in range(MEGABYTES * 1_000_000 // 60_000)]
            grown = resident() - before
            assert grown > 0.5 * MEGABYTES, "the rest was free before"
            kept = [small for _, small in blocks]
            del blocks
            async with asyncio.timeout(5):
                while resident() - before > 0.3 * grown:
                    await asyncio.sleep(0.02)
            assert len(kept) == MEGABYTES * 1_000_000 // 60_000

    asyncio.run(take_and_free())
