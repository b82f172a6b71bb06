"""What tests of the importer share: lines of readings, what is kept of an import, and what was stored."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg

NOON = datetime(2025, 1, 15, 12, tzinfo=UTC)
HEADER = "user_id,device_id,timestamp,heart_rate,steps,calories\n"
ALL = b"SELECT user_id, device_id, ts, heart_rate, steps, calories FROM api.readings ORDER BY 1, 2, 3"


def row(number: int, user: str = "ada", heart_rate: object = 70) -> str:
    """Return a line of CSV."""
    return f"{user},watch,{(NOON + timedelta(seconds=number)).isoformat()},{heart_rate},{number},1.5\n"


def reading(number: int, user: str = "ada", **changes: object) -> str:
    """Return a line of NDJSON."""
    moment = (NOON + timedelta(seconds=number)).isoformat()
    return json.dumps({"user_id": user, "timestamp": moment, "heart_rate": 70.5} | changes) + "\n"


def rejects_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.with_name(f"{path.name}.rejects").read_text().splitlines()]


def state_of(path: Path) -> Any:
    return json.loads(path.with_name(f"{path.name}.state").read_text())


Load = Callable[..., tuple[int, str, str]]
SIX = "2025-01-14T06:0"


def stored(db: psycopg.Connection) -> list[tuple[Any, ...]]:
    return db.execute("SELECT user_id, ts, steps FROM api.readings ORDER BY 1, 2").fetchall()


def total(db: psycopg.Connection) -> list[int]:
    return [steps for _, _, steps in stored(db)]


def append(path: Path, text: str) -> None:
    with path.open("a", newline="") as more:
        more.write(text)
