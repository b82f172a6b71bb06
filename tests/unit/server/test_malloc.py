"""Memory that is free goes back to the system, also where it lies among what is in use."""

from __future__ import annotations

import ctypes
import json
import subprocess
import sys
from pathlib import Path

import pytest

STATM = Path("/proc/self/statm")

# In a process of its own: what another test has freed before would be taken again, and hide what grows here.
PROGRAM = """
import asyncio, json
from service.server import malloc

def resident():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * 4096 / 1e6

async def take_and_free():
    before = resident()
    blocks = [(b"x" * 60_000, b"y" * 6_000) for _ in range(1000)]
    grown = resident() - before
    kept = [small for _, small in blocks]
    del blocks
    left = resident() - before
    async with malloc.trimmed_memory():
        for _ in range(200):
            await asyncio.sleep(0.02)
            if resident() - before < 0.3 * grown:
                break
    print(json.dumps({"grown": grown, "left": left, "trimmed": resident() - before, "kept": len(kept)}))

malloc.TRIM_SECONDS = 0.02
asyncio.run(take_and_free())
"""


@pytest.mark.skipif(not STATM.exists() or not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="not Linux with glibc")
def test_what_is_free_among_what_is_in_use_goes_back() -> None:
    ended = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout)
    assert told["kept"] == 1000
    assert told["grown"] > 50
    assert told["left"] > 0.8 * told["grown"], "it goes back by itself: this module is not needed"
    assert told["trimmed"] < 0.3 * told["grown"]
