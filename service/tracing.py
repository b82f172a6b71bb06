"""Traces by OpenTelemetry, where OTEL_EXPORTER_OTLP_ENDPOINT names a collector: a span for each request and statement.

Spans carry what metrics and logs do: methods, routes, names of statements, never what a client sent. The SDK reads its
other settings from the environment (OTEL_SERVICE_NAME, OTEL_TRACES_SAMPLER, OTEL_EXPORTER_OTLP_HEADERS, …).
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
ENDPOINTS = (ENDPOINT, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")  # the latter for traces alone, in place of the former
NEEDED = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")
SERVICE_NAME = "hyperpulse"
FLUSH_SECONDS = 3.0
"""What the end of the process waits for the last spans to be sent."""

tracer: Tracer | None = None
"""None while nothing is traced."""

NOTHING: AbstractContextManager[None] = nullcontext()


class CannotTrace(Exception):
    """Traces are asked for and cannot be made; the message names the remedy."""


def wanted(environment: Mapping[str, str]) -> bool:
    """Return whether the environment names a collector.

    CannotTrace where the name leads nowhere, or what sends to it is not installed.
    """
    if not environment.get(ENDPOINT) or environment.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    for name in ENDPOINTS:
        if (address := environment.get(name)) and not is_address(address):
            raise CannotTrace(f"{name} is no address of a collector; one is such as http://collector:4318.")
    try:
        missing = any(find_spec(name) is None for name in NEEDED)
    except ModuleNotFoundError:  # not even the package around it
        missing = True
    if missing:
        raise CannotTrace(
            f"{ENDPOINT} is set, and OpenTelemetry is not installed: "
            "pip install --no-deps --require-hashes --requirement requirements-traces.lock, or unset it."
        )
    return True


def is_address(text: str) -> bool:
    """Return whether spans can be sent to an address; it may have a password, so that it is not repeated."""
    try:
        parts = urlsplit(text)
        return (
            parts.scheme in ("http", "https")
            and bool(parts.hostname)
            and parts.port != 0
            and not any(one.isspace() for one in text)
        )
    except ValueError:  # of the port, or of brackets
        return False


def statement(name: str) -> AbstractContextManager[Any]:
    """Return the span of a statement, by its name."""
    if tracer is None:
        return NOTHING
    from opentelemetry.trace import SpanKind

    attributes = {"db.system.name": "postgresql", "db.query.summary": name}
    return tracer.start_as_current_span(name, kind=SpanKind.CLIENT, attributes=attributes)


@asynccontextmanager
async def tracing() -> AsyncIterator[None]:
    """Trace for as long as the block lasts, where the environment asks for it; then send what is left."""
    global tracer
    if tracer is not None or not wanted(os.environ):
        yield
        return
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    name = os.environ.get("OTEL_SERVICE_NAME") or SERVICE_NAME
    provider = TracerProvider(resource=Resource.create({"service.name": name}), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    tracer = provider.get_tracer(SERVICE_NAME)
    try:
        yield
    finally:
        tracer = None
        # A thread that the end of the process does not wait for: a flush lasts as long as its requests do.
        flush = threading.Thread(target=provider.force_flush, daemon=True)
        flush.start()
        await asyncio.to_thread(flush.join, FLUSH_SECONDS)
