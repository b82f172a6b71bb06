"""The latest values of any metric of a user, and the document that states those asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from service.answers.metrics_asked import UNITS, MetricsAsked
from service.model.latest import NOTHING, Latest
from service.model.timestamps import format_timestamp


class Measurements(NamedTuple):
    """A user's latest values: those of readings, and of the other metrics that were asked for, by name."""

    latest: Latest = NOTHING
    others: Mapping[str, Mapping[str, Any]] = {}
    """The rows of those that were measured, in the order of the registry."""

    def document(self, asked: MetricsAsked | None) -> dict[str, Any] | None:
        """Return the document of `GET /v1/users/{user_id}/latest` with `metrics=`; None where nothing was measured."""
        if asked is None:
            return self.latest.document()
        names = self.others if asked.others is None else asked.others
        rows = {name: self.others.get(name) for name in names}
        document = self.latest.document(max((row["ts"] for row in rows.values() if row), default=None))
        if document is not None:
            values = [(name, document[name] and {**document[name], "unit": UNITS[name]}) for name in asked.of_readings]
            document["metrics"] = asked.answer(values + [(name, value_of(row)) for name, row in rows.items()])
        return document


def value_of(row: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return the latest value of a metric that is none of readings; None where it was never measured."""
    if row is None:
        return None
    return {
        "value": row["value"],
        "timestamp": format_timestamp(row["ts"]),
        "device_id": row["device_id"],
        "unit": row["unit"],
    }


def others_of(rows: Iterable[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Gather the rows of other metrics than those of readings, by name; those without a moment were never measured."""
    return {row["metric"]: row for row in rows if row["ts"] is not None}
