"""The latest value of each metric of a user, and the document that states it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

from service.model.pg_time import format_micros, to_micros


class Value(NamedTuple):
    """What a device measured at a moment, in microseconds since 2000."""

    value: float | None
    at: int
    device_id: str


class Latest(NamedTuple):
    """A user's latest value of each metric; None where it was never measured.

    `ahead` is the last reading after now, which has no value.
    """

    heart_rate: Value | None = None
    steps: Value | None = None
    calories: Value | None = None
    ahead: Value | None = None

    def document(self, seen: datetime | None = None) -> dict[str, Any] | None:
        """Return the document of `GET /v1/users/{user_id}/latest` and of live messages; None without any reading.

        seen: when the last of other metrics was measured, where they are asked for.
        """
        values = self[: len(METRICS)]
        measured = [value.at for value in values if value is not None]
        if seen is not None:
            measured.append(to_micros(seen))
        if not measured and self.ahead is None:
            return None
        document: dict[str, Any] = {"last_seen": format_micros(max(measured)) if measured else None}
        for metric, value in zip(METRICS, values, strict=True):
            document[metric] = value and {
                "value": value.value,
                "timestamp": format_micros(value.at),
                "device_id": value.device_id,
            }
        if self.ahead is not None:
            document["ahead"] = {"timestamp": format_micros(self.ahead.at), "device_id": self.ahead.device_id}
        return document


METRICS = Latest._fields[:-1]
NOTHING = Latest()


def latest_of(rows: Iterable[dict[str, Any]]) -> Latest:
    """Gather the rows of one user, as api.latest returns them."""
    return Latest(**{row["metric"]: to_value(row) for row in rows})


def latest_by_user(rows: Iterable[dict[str, Any]]) -> dict[str, Latest]:
    """Gather rows of api_internal.latest_values by user."""
    latest: dict[str, Latest] = {}
    for row in rows:
        user_id = row["user_id"]
        latest[user_id] = latest.get(user_id, NOTHING)._replace(**{row["metric"]: to_value(row)})
    return latest


def to_value(row: dict[str, Any]) -> Value:
    """Return the value of a row; steps are whole."""
    value = int(row["value"]) if row["metric"] == "steps" else row["value"]
    return Value(value, to_micros(row["ts"]), row["device_id"])
