"""The application: routes, middleware, and what is said when something goes wrong."""

from __future__ import annotations

from http import HTTPStatus

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response

from service.dashboard.routes import openapi_route, page_routes
from service.errors import Problem, on_problem, problem_response
from service.http.concurrency_limit import Bounded
from service.http.middleware import CompressOnRequest, PlainPaths, SameOrigin
from service.http.request_log import HEADER, AccessLog, RequestLog
from service.log_format import current_request_id
from service.metrics.counters import Counters
from service.metrics.request_metrics import RequestMetrics
from service.routes import (
    devices,
    event_counts,
    events,
    live,
    metrics,
    overview,
    prometheus,
    readings,
    series,
    summaries,
    system,
    user_readings,
    users,
)
from service.routes.openapi import openapi_document
from service.routes.operation import Operation, to_routes
from service.routes.readings_fast_path import Express
from service.settings import Settings
from service.state import lifespan

OPERATIONS: list[Operation] = [
    *readings.OPERATIONS,
    *summaries.OPERATIONS,
    *series.OPERATIONS,
    *user_readings.OPERATIONS,
    *users.OPERATIONS,
    *overview.OPERATIONS,
    *devices.OPERATIONS,
    *events.OPERATIONS,
    *event_counts.OPERATIONS,
    *metrics.OPERATIONS,
    *live.OPERATIONS,
    *system.OPERATIONS,
    *prometheus.OPERATIONS,
]


def make_app(settings: Settings) -> Starlette:
    """Build the application; nothing connects before its lifespan begins."""
    routes = to_routes(OPERATIONS)
    counters = Counters()
    app = Starlette(
        routes=[*routes, *live.live_routes(), openapi_route(openapi_document(OPERATIONS)), *page_routes()],
        middleware=[
            Middleware(PlainPaths),
            Middleware(RequestLog),
            *([Middleware(AccessLog)] if settings.access_log else []),
            Middleware(RequestMetrics, counters=counters),
            Middleware(Bounded, most=settings.max_requests),
            Middleware(Express),
            Middleware(SameOrigin),
            Middleware(CompressOnRequest, minimum_size=1000),
        ],
        exception_handlers={Problem: on_problem, HTTPException: on_http_exception, Exception: on_surprise},
        lifespan=lifespan(settings, counters),
    )
    app.router.redirect_slashes = False  # one trailing slash is no other path, see PlainPaths
    return app


async def on_http_exception(request: Request, error: Exception) -> Response:
    """Answer with Starlette's own errors, such as 404 and 405, as problems too."""
    assert isinstance(error, HTTPException)
    detail = {404: "There is nothing at this path.", 405: f"{request.method} is not possible here."}.get(
        error.status_code, HTTPStatus(error.status_code).phrase
    )
    return problem_response(Problem(error.status_code, detail, headers=dict(error.headers or {})))


async def on_surprise(request: Request, error: Exception) -> Response:
    """Answer to an unexpected error with the id that its traceback has in the log."""
    detail = "The request failed; the log of the service says why."
    return problem_response(Problem(500, detail, headers={HEADER.decode(): current_request_id()}))
