"""The latest values of users, as documents."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from service.model.timestamps import format_timestamp

AHEAD = "ahead"  # of now, which latest values are not


def by_user(rows: Iterable[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Gather rows of api.latest by user: each metric's latest value, and when the user was last seen."""
    gathered: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        gathered[row["user_id"]].append(row)
    return {user_id: latest_document(of_user) for user_id, of_user in gathered.items()}


def latest_document(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Write the rows of one user."""
    seen = max((row["ts"] for row in rows if row["metric"] != AHEAD), default=None)
    document: dict[str, Any] = {"last_seen": seen and format_timestamp(seen)}
    document |= {"heart_rate": None, "steps": None, "calories": None}
    for row in rows:
        if row["metric"] == AHEAD:
            document[AHEAD] = {"timestamp": format_timestamp(row["ts"]), "device_id": row["device_id"]}
            continue
        document[row["metric"]] = {
            "value": int(row["value"]) if row["metric"] == "steps" else row["value"],
            "timestamp": format_timestamp(row["ts"]),
            "device_id": row["device_id"],
        }
    return document
