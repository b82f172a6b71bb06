"""FastAPI, Polars and a Parquet file: readings are buffered in memory and merged into the file in batches."""

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
    """Buffer readings in memory; the request that fills the buffer waits until it is written."""
    waiting.extend(item.model_dump() for item in items)
    if len(waiting) >= ENOUGH:
        async with lock:
            if len(waiting) >= ENOUGH:
                taken = waiting[:]
                waiting.clear()
                await asyncio.to_thread(merge, taken)
    return {"accepted": len(items)}


def merge(rows: list[dict[str, Any]]) -> None:
    """Merge rows into the file; of the same reading the last row stays."""
    frame = pl.DataFrame(rows)
    if FILE.exists():
        frame = pl.concat([pl.read_parquet(FILE), frame])
    frame.unique(subset=KEY, keep="last").write_parquet(FILE)
