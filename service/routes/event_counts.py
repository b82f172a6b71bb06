"""Events counted by bucket, source and type."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from service import answers
from service.answers import json_response
from service.cursors import after_moment, cut_page
from service.database import fetch_all
from service.operations import Answer, Operation
from service.questions import EventCounts, EventCountsAfter, ask
from service.state import state_of
from service.times import format_timestamp


async def event_metrics(request: Request) -> Response:
    """Answer with a tenant's events counted by bucket, source and type."""
    question = ask(request, EventCounts)
    rows = await fetch_all(state_of(request).pool, "event_counts", **question.model_dump())
    return json_response(counts_document(question, rows))


async def event_metrics_after(request: Request) -> Response:
    """Answer with the counts after a cursor."""
    question = ask(request, EventCountsAfter)
    start, end = question.range
    after_bucket, after_source, after_event_type = after_moment(question.cursor, 3)
    rows = await fetch_all(
        state_of(request).pool,
        "event_counts_after",
        tenant_id=question.tenant_id,
        bucket_size=question.bucket_size,
        source=question.source,
        event_type=question.event_type,
        start=start,
        end=end,
        after_bucket=after_bucket,
        after_source=after_source,
        after_event_type=after_event_type,
        limit=question.limit + 1,
    )
    shown, next_cursor = cut_page(rows, question.limit, "bucket", "source", "event_type")
    return json_response(counts_document(question, shown) | {"next_cursor": next_cursor})


def counts_document(question: EventCounts | EventCountsAfter, rows: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Write rows of api.event_counts."""
    counts = [{**row, "bucket": format_timestamp(row["bucket"])} for row in rows]
    return {"tenant_id": question.tenant_id, "bucket_size": question.bucket_size, "metrics": counts}


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
                answers.EventMetricsAfter,
                {
                    "tenant_id": "tenant_1",
                    "bucket_size": "minute",
                    "metrics": [{"bucket": "2025-01-15T10:00:00Z", "source": "web", "event_type": "click", "count": 3}],
                    "next_cursor": None,
                },
            )
        },
        description="start <= t < end: of a bucket that the range cuts, only what lies in the range is counted.",
        questions=[EventCountsAfter],
    ),
]
