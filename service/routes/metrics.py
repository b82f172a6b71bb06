"""`GET /metrics`, which two of the earlier services had: of a user's readings, or of a tenant's events."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from service.answers.parameters import EventCounts, RangeSummary
from service.answers.schemas.events import EventMetrics
from service.answers.schemas.series import RangeMetrics
from service.http.tenancy import bound_tenant
from service.routes.event_counts import event_metrics
from service.routes.operation import Answer, Operation
from service.routes.summaries import range_metrics

ONLY_OF_EVENTS = ("bucket_size", "source", "event_type")


async def metrics(request: Request) -> Response:
    """Answer for a tenant's events where they are asked for, otherwise for a user's readings."""
    return await (event_metrics if is_of_events(request) else range_metrics)(request)


def is_of_events(request: Request) -> bool:
    """Return whether a request names a tenant, or is bound to one and has arguments of events only."""
    named = request.query_params.keys()
    if "tenant_id" in named or bound_tenant(request) is None:
        return "tenant_id" in named
    return "user_id" not in named and not named.isdisjoint(ONLY_OF_EVENTS)


OPERATIONS = [
    Operation(
        "GET",
        "/metrics",
        metrics,
        "Earlier services",
        "A user's range in three figures, or a tenant's events counted",
        {
            200: Answer(
                "With user_id the three figures of the range; with tenant_id the events by bucket, source and type.",
                RangeMetrics | EventMetrics,
                {"avg_heart_rate": 88.0, "total_steps": 400, "total_calories": 15.2},
            )
        },
        access="read",
        description="With user_id, start and end (or start_date and end_date) are required. Both ends are included.",
        queries=[RangeSummary, EventCounts],
        refuses=(403, 404, 422, 503),
    )
]
