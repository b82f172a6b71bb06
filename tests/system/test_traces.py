"""Traces of a real process, sent to a collector on a real socket."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import psycopg
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from service.tracing import CannotTrace, wanted
from tests.support.service_process import running_service
from tests.support.wire import reading

TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SECRET = "ada-the-patient"


class Collector:
    """Keeps the spans that arrive, and all that arrives as it came."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.bodies: list[bytes] = []


@pytest.fixture
def collector() -> Iterator[tuple[str, Collector]]:
    kept = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            sent = ExportTraceServiceRequest.FromString(body)
            kept.bodies.append(body)
            kept.spans += [s for r in sent.resource_spans for scope in r.scope_spans for s in scope.spans]
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", kept
        server.shutdown()
        thread.join()


def attributes(span: Span) -> dict[str, Any]:
    """Return the attributes of a span by name."""
    return {each.key: each.value.string_value or each.value.int_value for each in span.attributes}


def test_requests_and_their_statements_are_spans(
    database_url: str, db: psycopg.Connection, collector: tuple[str, Collector]
) -> None:
    endpoint, kept = collector
    caller = {"traceparent": f"00-{TRACE}-{CALLER}-01"}
    with running_service(database_url, OTEL_EXPORTER_OTLP_ENDPOINT=endpoint, OTEL_SERVICE_NAME="pulse-1") as url:
        sent = {**reading(), "user_id": SECRET}
        assert httpx.post(f"{url}/v1/readings", json=sent).status_code in (200, 201)
        assert httpx.get(f"{url}/v1/users/{SECRET}/latest", headers=caller).status_code == 200
        assert httpx.get(f"{url}/v1/users/{SECRET}/nothing?x={SECRET}").status_code == 404
    # What is left is sent when the process ends.
    by_name = {span.name: span for span in kept.spans}
    asked = by_name["GET /v1/users/{user_id}/latest"]
    assert (asked.trace_id.hex(), asked.parent_span_id.hex()) == (TRACE, CALLER)
    assert asked.kind == Span.SPAN_KIND_SERVER
    assert attributes(asked) == {
        "http.request.method": "GET",
        "http.route": "/v1/users/{user_id}/latest",
        "http.response.status_code": 200,
    }
    statements = [span for span in kept.spans if span.parent_span_id == asked.span_id]
    assert {span.name for span in statements} >= {"latest"}
    assert all(attributes(span)["db.system.name"] == "postgresql" for span in statements)
    assert "POST /v1/readings" in by_name
    assert attributes(by_name["GET"])["http.response.status_code"] == 404
    body = b"".join(kept.bodies)
    assert b"pulse-1" in body
    assert SECRET.encode() not in body


def test_a_collector_that_is_away_delays_nothing(database_url: str, db: psycopg.Connection) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts, and never answers
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with running_service(database_url, OTEL_EXPORTER_OTLP_ENDPOINT=endpoint) as url:
            assert httpx.get(f"{url}/v1/users/ada/latest", timeout=5).status_code == 404
        # The process ended within the 10 s that running_service waits.


@pytest.mark.parametrize(
    "address",
    [
        "collector:4318",
        "127.0.0.1:4318",
        "grpc://ada:secret@collector:4317",
        "http://",
        "http://:4318",
        "http://ada:secret@[::1",
        "http://collector:port",
        "http://collector:70000",
        "http://collector:4318 ",
        "yes",
    ],
)
@pytest.mark.parametrize("name", ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"])
def test_an_address_that_leads_nowhere_is_refused_at_start(name: str, address: str) -> None:
    good = "http://[::1]:4318/otlp"
    with pytest.raises(CannotTrace, match=f"{name} is no address of a collector; one is such as") as refused:
        wanted({"OTEL_EXPORTER_OTLP_ENDPOINT": good, name: address})
    assert "secret" not in str(refused.value)
    assert wanted({"OTEL_EXPORTER_OTLP_ENDPOINT": good, name: good})


def test_traces_without_what_sends_them_are_refused_at_start(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not wanted({})
    assert not wanted({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318", "OTEL_SDK_DISABLED": "true"})
    monkeypatch.setattr("service.tracing.NEEDED", ("opentelemetry.sdk_that_is_not_there",))
    with pytest.raises(CannotTrace, match=r"requirements-traces\.lock"):
        wanted({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"})
