"""Middleware that makes a span of each request, within the trace that a `traceparent` header names."""

from __future__ import annotations

from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service import tracing
from service.http.request_labels import method_label, route_label

PROPAGATED = (b"traceparent", b"tracestate")


class Traces:
    """Traces requests; part of the application only where traces are asked for."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.propagator = TraceContextTextMapPropagator()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or tracing.tracer is None:
            await self.app(scope, receive, send)
            return
        sent = {name.decode(): value.decode("latin-1") for name, value in scope["headers"] if name in PROPAGATED}
        method = method_label(scope)
        with tracing.tracer.start_as_current_span(
            method,
            context=self.propagator.extract(sent),
            kind=SpanKind.SERVER,
            attributes={"http.request.method": method},
            record_exception=False,  # whose text may hold what a client sent
        ) as span:

            async def noted(message: Message) -> None:
                if message["type"] == "http.response.start":
                    note(span, scope, message["status"])
                await send(message)

            await self.app(scope, receive, noted)


def note(span: Span, scope: Scope, status: int) -> None:
    """Add the route, which is known by now, and the status."""
    if route := route_label(scope):
        span.update_name(f"{method_label(scope)} {route}")
        span.set_attribute("http.route", route)
    span.set_attribute("http.response.status_code", status)
    if status >= 500:
        span.set_status(Status(StatusCode.ERROR))
