"""Events counted by bucket, source and type."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from service.answers.cursors import after_moment, cut_page
from service.answers.json_lists import fetch_list, list_response
from service.answers.parameters import EventCounts, EventCountsAfter, parse_query
from service.answers.schemas.events import EventMetricsAfter
from service.database.pool import fetch_all
from service.errors import Invalid
from service.http.responses import json_response
from service.model.timestamps import format_timestamp
from service.routes.operation import Answer, Operation
from service.routes.read_your_writes import reads_of
from service.state import state_of


async def event_metrics(request: Request) -> Response:
    """Answer with a tenant's events counted by bucket, source and type."""
    query = parse_query(request, EventCounts)
    state = state_of(request)
    most = state.settings.max_event_counts
    counts = await fetch_list(reads_of(request), "event_counts", event_count, **query.model_dump(), limit=most + 1)
    if counts.length > most:
        raise Invalid(
            f"The answer has more than {most} counts; name a shorter range by start and end, or a wider bucket_size, "
            "or ask GET /v1/events/metrics page by page."
        )
    return list_response(state.answer_memory, counted(query), "metrics", counts.pieces, {})


async def event_metrics_after(request: Request) -> Response:
    """Answer with the counts after a cursor."""
    query = parse_query(request, EventCountsAfter)
    start, end = query.range
    after_bucket, after_source, after_event_type = after_moment(query.cursor, 3)
    rows = await fetch_all(
        reads_of(request),
        "event_counts_after",
        tenant_id=query.tenant_id,
        bucket_size=query.bucket_size,
        source=query.source,
        event_type=query.event_type,
        start=start,
        end=end,
        after_bucket=after_bucket,
        after_source=after_source,
        after_event_type=after_event_type,
        limit=query.limit + 1,
    )
    shown, next_cursor = cut_page(rows, query.limit, "bucket", "source", "event_type")
    counts = [event_count(row) for row in shown]
    return json_response(counted(query) | {"metrics": counts, "next_cursor": next_cursor})


def counted(query: EventCounts | EventCountsAfter) -> dict[str, Any]:
    """Say what was counted."""
    return {"tenant_id": query.tenant_id, "bucket_size": query.bucket_size}


def event_count(row: dict[str, Any]) -> dict[str, Any]:
    """Write a row of api.event_counts."""
    return {**row, "bucket": format_timestamp(row["bucket"])}


OPERATIONS = [
    Operation(
        "GET",
        "/v1/events/metrics",
        event_metrics_after,
        "Events",
        "Events of a range, counted",
        {
            200: Answer(
                "Counts by bucket, source and type, in that order, and the cursor of what follows.",
                EventMetricsAfter,
                {
                    "tenant_id": "tenant_1",
                    "bucket_size": "minute",
                    "metrics": [{"bucket": "2025-01-15T10:00:00Z", "source": "web", "event_type": "click", "count": 3}],
                    "next_cursor": None,
                },
            )
        },
        access="read",
        description="start <= t < end: of a bucket that the range cuts, only what lies in the range is counted.",
        queries=[EventCountsAfter],
        refuses=(403, 422, 503),
    ),
]
