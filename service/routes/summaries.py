"""A range of a user in a few figures: exact aggregates, and the summary of an earlier service."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from service.answers.parameters import RangeSummary, Summary, parse_query
from service.answers.schemas.series import SummaryDocument
from service.database.pool import fetch_one
from service.errors import NotFound
from service.http.responses import json_response
from service.http.tenancy import tenant_of
from service.model.timestamps import format_timestamp
from service.routes.operation import Answer, Operation
from service.state import state_of

NOTHING = "No reading of that user lies in the range."


async def summary(request: Request) -> Response:
    """Answer with the exact aggregates of a half-open range."""
    query = parse_query(request, Summary)
    user_id = request.path_params["user_id"]
    start, end = query.range
    row = await fetch_one(
        state_of(request).pool,
        "summary",
        tenant_id=tenant_of(request),
        user_id=user_id,
        start=start,
        end=end,
        device_id=query.device_id,
    )
    if row["first"] is None:
        raise NotFound(NOTHING)
    return json_response(
        {
            "user_id": user_id,
            "start": format_timestamp(start),
            "end": format_timestamp(end),
            "heart_rate": heart_rate_of(row),
            "steps": row["steps"],
            "calories": row["calories"],
            "first": format_timestamp(row["first"]),
            "last": format_timestamp(row["last"]),
            "sources": row["sources"],
        }
    )


def heart_rate_of(row: dict[str, Any]) -> dict[str, Any] | None:
    """Return the four figures of heart rate; None where it was not measured."""
    if not row["heart_rate_count"]:
        return None
    return {name: row[f"heart_rate_{name}"] for name in ("count", "avg", "min", "max")}


async def range_metrics(request: Request) -> Response:
    """Answer with the three figures of a range, both ends included."""
    query = parse_query(request, RangeSummary)
    row = await fetch_one(
        state_of(request).pool,
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
        description="start <= t < end. Of several devices that report a metric in one minute, the best one counts.",
        queries=[Summary],
        refuses=(404, 422, 503),
    ),
]
