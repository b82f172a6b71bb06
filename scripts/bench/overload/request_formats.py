"""The paths and formats in which a block is written, and the answers that are expected."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

from scripts.bench.overload.client import Request
from scripts.bench.overload.workload import PEOPLE, Kind, Write, readings
from scripts.bench.overload.workload import moment as written

CHUNK = 1000
"""Lines in a chunk."""
JSON, NDJSON, CSV = "application/json", "application/x-ndjson", "text/csv"
DEVICE = "device_a"


class Format(NamedTuple):
    """A way to write blocks, and the check of its answer, which returns "" if nothing is wrong."""

    name: str
    request: Callable[[Write], Request]
    fault: Callable[[Write, Any], str]


def post(path: str, media_type: str, body: bytes | Iterable[bytes], coding: str = "") -> Request:
    """Return a POST request."""
    encoding = f"Content-Encoding: {coding}\r\n" if coding else ""
    return Request(f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {media_type}\r\n{encoding}", body)


def objects(write: Write) -> Iterator[str]:
    """Yield readings as JSON objects."""
    person = write.kind.person(write.block)
    for timestamp, heart_rate, steps, calories in readings(write.kind, write.block, write.version):
        yield (
            f'{{"user_id":"{person}","device_id":"{DEVICE}","timestamp":"{timestamp}",'
            f'"heart_rate":{heart_rate},"steps":{steps},"calories":{calories}}}'
        )


def array(write: Write) -> bytes:
    """Return a block as one object or an array."""
    texts = list(objects(write))
    return texts[0].encode() if len(texts) == 1 else f"[{','.join(texts)}]".encode()


def as_json(write: Write) -> Request:
    """Return POST /v1/readings with JSON."""
    return post("/v1/readings", JSON, array(write))


def as_gzip(write: Write) -> Request:
    """Return POST /v1/readings with gzipped JSON."""
    return post("/v1/readings", JSON, gzip.compress(array(write), 1), "gzip")


def as_ndjson(write: Write) -> Request:
    """Return POST /v1/readings with a stream of NDJSON."""
    return post("/v1/readings", NDJSON, in_chunks(line + "\n" for line in objects(write)))


def as_csv(write: Write) -> Request:
    """Return POST /v1/readings with a stream of CSV."""
    person = write.kind.person(write.block)

    def rows() -> Iterator[str]:
        yield "user_id,device_id,timestamp,heart_rate,steps,calories\n"
        for timestamp, heart_rate, steps, calories in readings(write.kind, write.block, write.version):
            yield f"{person},{DEVICE},{timestamp},{heart_rate},{steps},{calories}\n"

    return post("/v1/readings", CSV, in_chunks(rows()))


def in_chunks(texts: Iterator[str]) -> Iterator[bytes]:
    """Join lines into chunks."""
    while chunk := "".join(islice(texts, CHUNK)).encode():
        yield chunk


def as_ingest(write: Write) -> Request:
    """Return POST /ingest."""
    person = write.kind.person(write.block)
    texts = [
        f'{{"user_id":{person},"timestamp":"{timestamp}","heart_rate":{heart_rate},'
        f'"steps":{steps},"calories":{calories}}}'
        for timestamp, heart_rate, steps, calories in readings(write.kind, write.block, write.version)
    ]
    return post("/ingest", JSON, f"[{','.join(texts)}]".encode())


def heart_rates(write: Write) -> Iterator[str]:
    """Yield heart rates as JSON objects."""
    person = write.kind.person(write.block)
    for timestamp, heart_rate, _, _ in readings(write.kind, write.block, write.version):
        yield (f'{{"user_id":"{person}","device_id":"{DEVICE}","timestamp":"{timestamp}","heart_rate":{heart_rate}}}')


def as_heart_rate(write: Write) -> Request:
    """Return POST /metrics/heart-rate."""
    return post("/metrics/heart-rate", JSON, next(heart_rates(write)).encode())


def as_heart_rate_batch(write: Write) -> Request:
    """Return POST /metrics/heart-rate/batch."""
    return post("/metrics/heart-rate/batch", JSON, f'{{"readings":[{",".join(heart_rates(write))}]}}'.encode())


def events(write: Write) -> list[dict[str, Any]]:
    """Return the events of a block, each a function of its number."""
    kind = write.kind
    return [
        {
            "event_id": str(number),
            "tenant_id": kind.name,
            "source": ("web", "app", "watch")[number % 3],
            "event_type": "tick",
            "timestamp": written(kind.start + number * kind.step),
            "payload": {"number": number},
        }
        for number in kind.numbers(write.block)
    ]


def as_event(write: Write) -> Request:
    """Return POST /events."""
    return post("/events", JSON, json.dumps(events(write)[0]).encode())


def as_event_bulk(write: Write) -> Request:
    """Return POST /events/bulk."""
    return post("/events/bulk", JSON, json.dumps({"events": events(write)}).encode())


def receipt(write: Write, said: Any) -> str:
    """Check the counts of a receipt, which are known unless an earlier request failed half-way."""
    size = write.kind.size
    counts = {name: said.get(name) for name in ("received", "inserted", "updated", "unchanged", "rejected")}
    outcome = outcome_of(write)
    if outcome is None:
        right = counts["received"] == size == sum(counts[name] for name in ("inserted", "updated", "unchanged"))
    else:
        right = counts == {"received": size, "inserted": 0, "updated": 0, "unchanged": 0, "rejected": 0, outcome: size}
    return "" if right else f"a receipt says {counts}, where {size} {outcome or 'readings'} were sent"


def outcome_of(write: Write) -> str | None:
    """Return the expected outcome of a block; None if it is uncertain."""
    if write.is_new:
        return "inserted"
    if write.was is None:
        return None
    return "unchanged" if write.was == write.version else "updated"


def says(**expected: Any) -> Callable[[Write, Any], str]:
    """Return a check of an answer's fields; SIZE stands for the size of the block."""

    def fault(write: Write, said: Any) -> str:
        wanted = {name: write.kind.size if value is SIZE else value for name, value in expected.items()}
        right = all(said.get(name) == value for name, value in wanted.items())
        return "" if right else f"an answer says {said}, and not {wanted}"

    return fault


SIZE = object()


def event_counts(write: Write, said: Any) -> str:
    """Check the counts of a bulk of events."""
    new = write.kind.size if write.is_new else 0 if write.was is not None else None
    right = said.get("received") == write.kind.size and new in (None, said.get("created"))
    return "" if right else f"an answer says {said}, where {new} of {write.kind.size} events were new"


def event_status(write: Write, said: Any) -> str:
    """Check the status of one event."""
    wanted = "created" if write.is_new else "duplicate" if write.was is not None else said.get("status")
    return "" if said.get("status") == wanted else f"an event is {said.get('status')!r}, and not {wanted!r}"


READING = Format("JSON", as_json, receipt)
GZIP = Format("JSON, gzip", as_gzip, receipt)
LINES = Format("NDJSON", as_ndjson, receipt)
TABLE = Format("CSV", as_csv, receipt)
INGEST = Format("/ingest", as_ingest, says(ingested=SIZE))
HEART_RATE = Format("/metrics/heart-rate", as_heart_rate, says(status="accepted"))
HEART_RATES = Format("/metrics/heart-rate/batch", as_heart_rate_batch, says(accepted=SIZE, rejected=0, total=SIZE))
EVENT = Format("/events", as_event, event_status)
EVENTS = Format("/events/bulk", as_event_bulk, event_counts)


class SideRequest(NamedTuple):
    """A request beside the writes: a question, or an invalid request that must be refused."""

    name: str
    request: Request
    statuses: frozenset[int]


def get(path: str) -> Request:
    """Return a GET request."""
    return Request(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n")


REFUSED: Sequence[SideRequest] = (
    SideRequest("invalid", post("/v1/readings", JSON, b'{"user_id":"x","timestamp":"2025-01-15T10:00:00","steps":1}'),
            frozenset({422})),
    SideRequest("invalid", post("/v1/readings", JSON, b'[{"user_id":"x","heart_rate":900},7,null]'), frozenset({422})),
    SideRequest("invalid", post("/v1/readings", NDJSON, b'{"user_id":1e999}\n\xff\n{{{\n' * 200), frozenset({422})),
    SideRequest("invalid", post("/v1/readings", CSV, b"user_id,timestamp,steps\n" + b",,\n" * 500), frozenset({422})),
    SideRequest("invalid", post("/v1/readings", JSON, b'{"user_id":'), frozenset({400})),
    SideRequest("invalid", post("/v1/readings", JSON, b"\x1f\x8bnot gzip", "gzip"), frozenset({400})),
    SideRequest("invalid", post("/ingest", JSON, b'[{"user_id":"x"}]'), frozenset({422})),
    SideRequest("invalid", post("/metrics/heart-rate", JSON, b'{"device_id":"device_a"}'), frozenset({400})),
    SideRequest("invalid", post("/events/bulk", JSON, b'{"events":[{"event_id":""}]}'), frozenset({422})),
)  # fmt: skip


def questions(kind: Kind, number: int, now: int) -> Sequence[SideRequest]:
    """Return questions about a person."""
    person = str(kind.number * PEOPLE + number % kind.people)
    first = kind.start + number % 977 * 1_000_000
    start, end = written(first), written(max(first, min(kind.last_moment(), now)))
    found = frozenset({200, 404})
    return [
        SideRequest("questions", get(path), found)
        for path in (
            f"/v1/users/{person}/summary?start={start}&end={end}",
            f"/v1/users/{person}/series?start={start}&end={end}&bucket=auto&max_points=500",
            f"/v1/users/{person}/latest",
            f"/v1/users/{person}/readings?start={start}&end={end}&limit=100",
            f"/metrics?user_id={person}&start={start}&end={end}",
        )
    ]


OVERVIEWS: Sequence[SideRequest] = [
    SideRequest("overviews", get(path), frozenset({200}))
    for path in ("/v1/overview", "/v1/users?limit=100", "/v1/system", "/prometheus", "/ready")
]
"""Requests of dashboards and scrapers."""
