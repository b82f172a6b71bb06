"""The application: routes, middleware, and answers to errors."""

from __future__ import annotations

import os
from http import HTTPStatus

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from service import tracing
from service.auth.middleware import AllowedHosts, Authentication
from service.auth.rate_limits import RateLimits
from service.dashboard.routes import MOUNTS, PAGE_PATHS, openapi_route, page_routes
from service.database.replicas.positions import HEADER as HEADER_OF_POSITION
from service.errors import Failed, Problem
from service.http.answer_headers import AnswerHeaders
from service.http.arrivals import Arrivals
from service.http.concurrency_limit import ConcurrencyLimit
from service.http.giving_way import GivingWay
from service.http.hosts import HostAllowlist
from service.http.middleware import GzipOnRequest, RawPathRouting, SameOrigin
from service.http.problem_details import document_response, on_problem, status_of
from service.http.request_log import HEADER, AccessLog, RequestLog
from service.lifespan import lifespan
from service.log_format import current_request_id
from service.metrics.counters import Counters
from service.metrics.request_metrics import RequestMetrics
from service.routes import (
    devices,
    event_counts,
    events,
    imports,
    live,
    metric_registry,
    metrics,
    overview,
    prometheus,
    readings,
    series,
    sessions,
    summaries,
    system,
    tickets,
    user_export,
    user_readings,
    users,
)
from service.routes.openapi import openapi_document
from service.routes.operation import Operation, arguments, to_routes
from service.routes.read_your_writes import ReadYourWrites
from service.routes.readings_fast_path import ReadingsFastPath
from service.routes.shard_dispatch import ShardDispatch
from service.settings import Settings

OPERATIONS: list[Operation] = [
    *readings.OPERATIONS,
    *imports.OPERATIONS,
    *summaries.OPERATIONS,
    *series.OPERATIONS,
    *user_readings.OPERATIONS,
    *users.OPERATIONS,
    *user_export.OPERATIONS,
    *overview.OPERATIONS,
    *devices.OPERATIONS,
    *metric_registry.OPERATIONS,
    *events.OPERATIONS,
    *event_counts.OPERATIONS,
    *metrics.OPERATIONS,
    *live.OPERATIONS,
    *tickets.OPERATIONS,
    *sessions.OPERATIONS,
    *system.OPERATIONS,
    *prometheus.OPERATIONS,
]


# What tells of no data: whether the service answers, signing in and out, and files that come with the service.
PUBLIC = frozenset((operation.method, operation.path) for operation in OPERATIONS if operation.access is None)
# What asks for what a tenant has that the URL names; WebSockets are live updates, and do so, too.
OF_A_TENANT = frozenset((one.method, one.path) for one in OPERATIONS if "tenant_id" in arguments(one))


def operation_of(scope: Scope) -> tuple[str | None, str]:
    """Return method and path of a request."""
    method = scope.get("method")
    return "GET" if method == "HEAD" else method, scope["path"]


def is_public(scope: Scope) -> bool:
    """Return whether a request is answered without a key."""
    return operation_of(scope) in PUBLIC or scope["path"] in PAGE_PATHS or scope["path"].startswith(MOUNTS)


def names_tenant(scope: Scope) -> bool:
    """Return whether a request may name a tenant in its URL; elsewhere such an argument is ignored, or refused."""
    return scope["type"] == "websocket" or operation_of(scope) in OF_A_TENANT


def cross_origin(settings: Settings) -> list[Middleware]:
    """Return the middleware that lets pages of other origins ask, where any may."""
    if not settings.allowed_origins:
        return []
    return [
        Middleware(
            CORSMiddleware,
            allow_origins=settings.allowed_origins,
            allow_methods=["GET", "POST", "PUT", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "Content-Encoding", HEADER_OF_POSITION, "X-Request-Id"],
            expose_headers=[HEADER_OF_POSITION, "Retry-After", "X-Request-Id"],
        )
    ]


def traces() -> list[Middleware]:
    """Return the middleware that traces requests, where the environment asks for it."""
    if not tracing.wanted(os.environ):
        return []
    from service.http.traces import Traces  # needs OpenTelemetry, which is not installed otherwise

    return [Middleware(Traces)]


def make_app(settings: Settings, arrivals: Arrivals) -> Starlette:
    """Build the application; nothing connects before its lifespan begins."""
    counters = Counters()
    routes = to_routes(OPERATIONS)
    app = Starlette(
        routes=[*routes, *live.live_routes(), openapi_route(openapi_document(OPERATIONS)), *page_routes()],
        middleware=[
            Middleware(RawPathRouting),
            Middleware(RequestLog),
            *traces(),
            *([Middleware(AccessLog)] if settings.access_log else []),
            Middleware(RequestMetrics, counters=counters),
            Middleware(AllowedHosts, hosts=HostAllowlist(settings.allowed_hosts, settings.host)),
            *cross_origin(settings),
            Middleware(Authentication, is_public),
            Middleware(RateLimits),
            *([Middleware(ShardDispatch, names_tenant)] if settings.shard_database_urls else []),
            *([Middleware(ReadYourWrites)] if settings.read_database_url else []),
            Middleware(ConcurrencyLimit, arrivals=arrivals),
            Middleware(GivingWay, percent=settings.max_tenant_percent),
            Middleware(ReadingsFastPath),
            Middleware(AnswerHeaders),
            Middleware(SameOrigin, allowed=settings.allowed_origins),
            Middleware(GzipOnRequest, minimum_size=1000),
        ],
        exception_handlers={Problem: on_problem, HTTPException: on_http_exception, Exception: on_surprise},
        lifespan=lifespan(settings, counters),
    )
    app.router.redirect_slashes = False  # one trailing slash is no other path, see RawPathRouting
    return app


async def on_http_exception(request: Request, error: Exception) -> Response:
    """Answer with Starlette's own errors, such as 404 and 405, as problems too."""
    assert isinstance(error, HTTPException)
    detail = {404: "There is nothing at this path.", 405: f"{request.method} is not possible here."}.get(
        error.status_code, HTTPStatus(error.status_code).phrase
    )
    return document_response(error.status_code, detail, headers=error.headers)


async def on_surprise(request: Request, error: Exception) -> Response:
    """Answer to an unexpected error with the id that its traceback has in the log."""
    failed = Failed()
    return document_response(status_of(failed), failed.detail, headers={HEADER.decode(): current_request_id()})
