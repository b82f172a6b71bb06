"""FastAPI, Polars and a Parquet file: readings wait in memory and are merged into the file when enough have come."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import polars as pl
from fastapi import FastAPI

from scripts.bench.peers.model import Reading

FILE = Path(os.environ["PEER_FILE"])
ENOUGH = 10_000
KEY = ["user_id", "device_id", "timestamp"]

app = FastAPI()
waiting: list[dict[str, Any]] = []
lock = asyncio.Lock()


@app.post("/readings")
async def readings(items: list[Reading]) -> dict[str, int]:
    """Keep readings in memory; whoever fills the buffer waits until it is written."""
    waiting.extend(item.model_dump() for item in items)
    if len(waiting) >= ENOUGH:
        async with lock:
            if len(waiting) >= ENOUGH:
                taken = waiting[:]
                waiting.clear()
                await asyncio.to_thread(merge, taken)
    return {"accepted": len(items)}


def merge(rows: list[dict[str, Any]]) -> None:
    """Write the file anew with what has come, the last of each reading."""
    frame = pl.DataFrame(rows)
    if FILE.exists():
        frame = pl.concat([pl.read_parquet(FILE), frame])
    frame.unique(subset=KEY, keep="last").write_parquet(FILE)
