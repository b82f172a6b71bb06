"""`GET /prometheus`: the service's own metrics for a scraper."""

from __future__ import annotations

from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from starlette.requests import Request
from starlette.responses import Response

from service.metrics.families import Scrape
from service.routes.operation import Answer, Operation
from service.settings import HOME
from service.state import state_of


async def prometheus(request: Request) -> Response:
    """Answer with all metrics; with what the processes of the service know while the database is away."""
    state = state_of(request)
    database = await state.database_stats.now()
    # What the processes know concerns all databases, and is in the home database's scrape.
    stats = state.worker_stats.aggregated() if state.shard == HOME else None
    text = generate_latest(Scrape(stats, database))
    return Response(text, headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4, "Cache-Control": "no-store"})


OPERATIONS = [
    Operation(
        "GET",
        "/prometheus",
        prometheus,
        "System",
        "The service's own metrics",
        {
            200: Answer(
                "Counters, gauges and a histogram, of the service and of the database.",
                media_type=CONTENT_TYPE_PLAIN_0_0_4,
            )
        },
        access="operate",
        description="In the Prometheus text format. While the database is away, hyperpulse_database_up is 0 and what "
        "it would say is left out.",
        refuses=(),
    ),
]
