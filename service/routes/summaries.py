"""A range of a user in a few figures: exact aggregates, and the summary of an earlier service."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from service.answers.metrics_asked import MetricsAsked, heart_rate_of, readings_figures, sample_figures
from service.answers.parameters import RangeSummary, Summary, parse_query
from service.answers.schemas.series import SummaryDocument
from service.database.pool import fetch_all, fetch_one
from service.errors import NotFound
from service.http.responses import json_response
from service.http.tenancy import tenant_of
from service.model.timestamps import format_timestamp
from service.routes.operation import Answer, Operation
from service.routes.read_your_writes import reads_of

DAILY_TOTAL = "daily_total"
NOTHING = "No reading of that user lies in the range."


async def summary(request: Request) -> Response:
    """Answer with the exact aggregates of a half-open range."""
    query = parse_query(request, Summary)
    user_id = request.path_params["user_id"]
    start, end = query.range
    asked = {
        "tenant_id": tenant_of(request),
        "user_id": user_id,
        "start": start,
        "end": end,
        "device_id": query.device_id,
    }
    source = reads_of(request, user_id)
    others = query.metrics and query.metrics.others
    if query.metrics is None or others == []:
        rows = await fetch_all(source, "summary", **asked)
    else:
        rows = await fetch_all(source, "summary_with_metrics", **asked, metrics=others)
    row = rows[0]
    # Not by the count, which is 0 where an interval begins before the range.
    measured = [one for one in rows if one.get("first_ts") is not None]
    firsts = [one["first_ts"] for one in measured] + [row["first"]] * (row["first"] is not None)
    lasts = [one["last_ts"] for one in measured] + [row["last"]] * (row["last"] is not None)
    if not firsts:
        raise NotFound(NOTHING)
    document = {
        "user_id": user_id,
        "start": format_timestamp(start),
        "end": format_timestamp(end),
        "heart_rate": heart_rate_of(row),
        "steps": row["steps"],
        "calories": row["calories"],
        "first": format_timestamp(min(firsts)),
        "last": format_timestamp(max(lasts)),
        "sources": together(row["sources"], row["other_sources"]) if measured else row["sources"],
    }
    if query.metrics is not None:
        document["metrics"] = metrics_of(query.metrics, rows)
    return json_response(document)


def metrics_of(asked: MetricsAsked, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the figures of each metric asked for, in the order of the registry."""
    found = [(name, readings_figures(rows[0], name)) for name in asked.of_readings]
    return asked.answer(found + [(row["metric"], sample_figures(row)) for row in rows if row.get("metric")])


def together(sources: list[str], others: list[str]) -> list[str]:
    """Return the resolutions that answered for readings or for other metrics, and last whether a daily total counts."""
    return sorted({*sources, *others}, key=lambda source: (source == DAILY_TOTAL, source))


async def range_metrics(request: Request) -> Response:
    """Answer with the three figures of a range, both ends included."""
    query = parse_query(request, RangeSummary)
    row = await fetch_one(
        reads_of(request, query.user_id),
        "summary_to_the_end",
        tenant_id=tenant_of(request),
        user_id=query.user_id,
        start=query.start,
        end=query.end,
    )
    if row["first"] is None:
        raise NotFound(NOTHING)
    return json_response(
        {"avg_heart_rate": row["heart_rate_avg"], "total_steps": row["steps"], "total_calories": row["calories"]}
    )


OPERATIONS = [
    Operation(
        "GET",
        "/v1/users/{user_id:name}/summary",
        summary,
        "Answers",
        "Exact aggregates of a range",
        {
            200: Answer(
                "The figures, and the resolutions they were composed from.",
                SummaryDocument,
                {
                    "user_id": "user_123",
                    "start": "2025-01-15T00:00:00Z",
                    "end": "2025-01-16T00:00:00Z",
                    "heart_rate": {"count": 1, "avg": 75.0, "min": 75.0, "max": 75.0},
                    "steps": None,
                    "calories": None,
                    "first": "2025-01-15T10:00:00Z",
                    "last": "2025-01-15T10:00:00Z",
                    "sources": ["raw"],
                },
            )
        },
        access="read",
        description="start <= t < end. Of several devices that report a metric in one minute, the best one counts. "
        "`metrics` adds the figures of those metrics, null where one was not measured: count, avg, min and max of a "
        "gauge, total of a sum, last of what only the last value counts of. first and last are of these, too.",
        queries=[Summary],
        refuses=(404, 422, 503),
    ),
]
