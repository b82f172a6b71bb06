"""What the HTTP tests say and how they read an answer: bodies to send, judgements on what came back."""

import gzip
import json
import math
import re
import socket
import zlib
from collections.abc import Iterator
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import httpx

PATIENCE = 10.0  # seconds that any single answer may take
INTERNAL = (
    "psycopg",
    "Traceback",
    "/service/",
    "site-packages",
    "pydantic",
    "starlette",
    "plpgsql",
    "SQLSTATE",
)
SQL = re.compile(r"\b(SELECT\s.+\sFROM|INSERT INTO|UPDATE\s.+\sSET|ON CONFLICT)\b", re.DOTALL)
DAY = "2024-01-15"


def moment(clock: str = "10:00:00", day: str = DAY) -> str:
    """Name an instant of the day that most of these tests happen on."""
    return f"{day}T{clock}Z"


def ingest(user_id: Any = 303, clock: str = "10:00:00", **changes: Any) -> dict[str, Any]:
    """Say what the first earlier client sends to POST /ingest."""
    said = {"user_id": user_id, "timestamp": moment(clock), "heart_rate": 88, "steps": 400, "calories": 15.2}
    return said | changes


def beat(clock: str = "10:00:00", heart_rate: Any = 75, device_id: str = "device_a", **changes: Any) -> dict[str, Any]:
    """Say what the second earlier client sends to POST /metrics/heart-rate."""
    said = {
        "device_id": device_id,
        "user_id": "user_123",
        "timestamp": moment(clock),
        "heart_rate": heart_rate,
    }
    return said | changes


def event(event_id: str = "evt_001", clock: str = "10:00:00", **changes: Any) -> dict[str, Any]:
    """Say what the third earlier client sends to POST /events."""
    said = {
        "event_id": event_id,
        "tenant_id": "tenant_1",
        "source": "web",
        "event_type": "click",
        "timestamp": moment(clock),
        "payload": {"page": "home"},
    }
    return said | changes


def reading(clock: str = "10:00:00", user_id: Any = "ada", **fields: Any) -> dict[str, Any]:
    """Make a reading for POST /v1/readings; without a metric of its own it carries a heart rate of 75."""
    if not fields.keys() & {"heart_rate", "steps", "calories"}:
        fields["heart_rate"] = 75
    return {"user_id": user_id, "timestamp": moment(clock)} | fields


def write_examples() -> dict[str, Any]:
    """One good body for every path that is written to."""
    return {
        "/ingest": ingest(),
        "/metrics/heart-rate": beat(),
        "/metrics/heart-rate/batch": {"readings": [beat()]},
        "/events": event(),
        "/events/bulk": {"events": [event()]},
        "/v1/readings": reading(),
        "/v1/events": {"events": [event()]},
    }


WRITES = list(write_examples())


def with_item(path: str, item: str) -> bytes:
    """Make a body for a path that holds this item, given as raw JSON text."""
    wrapper = {"/metrics/heart-rate/batch": "readings", "/events/bulk": "events", "/v1/events": "events"}.get(path)
    return (f'{{"{wrapper}": [{item}]}}' if wrapper else item).encode("utf-8", "surrogatepass")


def item_of(path: str) -> dict[str, Any]:
    """Take the good item out of a path's good body."""
    body = write_examples()[path]
    for wrapper in ("readings", "events"):
        if wrapper in body:
            body = body[wrapper][0]
    return dict(body)


def item_with(path: str, field: str, raw: str) -> str:
    """Write a path's good item as JSON text, one field of it replaced by raw JSON text."""
    fields = {name: json.dumps(value) for name, value in item_of(path).items()} | {field: raw}
    return "{" + ", ".join(f'"{name}": {value}' for name, value in fields.items()) + "}"


def in_path(text: str) -> str:
    """Any text as one segment of a URL, every byte of it percent-encoded."""
    return "".join(f"%{byte:02X}" for byte in text.encode())


def summary_url(user_id: str = "ada") -> str:
    return f"/v1/users/{in_path(user_id)}/summary"


def summary(
    client: httpx.Client, user_id: str = "ada", start: str = "00:00:00", end: str = "23:59:59", **more: str
) -> Any:
    """Ask for the /v1 summary of one user over a part of the day, which must exist."""
    answer = client.get(summary_url(user_id), params={"start": moment(start), "end": moment(end)} | more)
    assert answer.status_code == 200, answer.text
    return strict_json(answer.text)


def post(client: httpx.Client, path: str, body: Any, status: int = 200) -> Any:
    """Send JSON, expect this status, and return the answer."""
    answer = client.post(path, json=body)
    assert answer.status_code == status, answer.text
    return strict_json(answer.text)


def send(client: httpx.Client, path: str, content: Any, **headers: str) -> httpx.Response:
    """Send bytes as they are, announced as JSON unless a header says otherwise."""
    announced = {"content-type": "application/json"} | {k.replace("_", "-"): v for k, v in headers.items()}
    return client.post(path, content=content, headers=announced, timeout=PATIENCE)


def strict_json(text: str) -> Any:
    """JSON by the book: no NaN, no Infinity."""

    def refuse(name: str) -> Any:
        raise AssertionError(f"{name} is not JSON")

    return json.loads(text, parse_constant=refuse)


def says(answer: httpx.Response, status: int, body: Any) -> None:
    """Compare the status and the JSON, to the order of its keys and the spelling of its numbers."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].split(";")[0] == "application/json"
    assert json.dumps(strict_json(answer.text)) == json.dumps(body)


def refused(answer: httpx.Response, *statuses: int) -> dict[str, Any]:
    """Expect a problem by RFC 9457 with one of these statuses, and nothing internal in it."""
    assert answer.status_code in (statuses or (422,)), (answer.status_code, answer.text[:2000])
    assert answer.headers["content-type"].split(";")[0] == "application/problem+json", answer.text[:2000]
    problem = strict_json(answer.text)
    assert {"type", "title", "status", "detail"} <= problem.keys(), problem
    assert problem["status"] == answer.status_code
    assert isinstance(problem["type"], str)
    assert isinstance(problem["title"], str)
    assert problem["title"]
    assert isinstance(problem["detail"], str)
    keeps_to_itself(answer)
    return dict(problem)


def errors_of(answer: httpx.Response, *statuses: int) -> list[dict[str, Any]]:
    """Return the `errors` of a refusal for invalid input: where, and what is wrong."""
    errors = refused(answer, *statuses)["errors"]
    assert isinstance(errors, list)
    assert errors
    for error in errors:
        assert isinstance(error["at"], str)
        assert isinstance(error["problem"], str)
        assert error["problem"]
        assert "value" in error
    return errors


def keeps_to_itself(answer: httpx.Response) -> None:
    """No SQL, no stack, no path of the inside."""
    for word in INTERNAL:
        assert word not in answer.text, answer.text[:2000]
    assert not SQL.search(answer.text), answer.text[:2000]


def stays_calm(answer: httpx.Response) -> httpx.Response:
    """Whatever was sent, the fault is not the server's and its insides stay inside."""
    assert answer.status_code < 500, (answer.status_code, str(answer.request.url)[:300], answer.text[:2000])
    if answer.headers.get("content-type", "").startswith("application/"):
        keeps_to_itself(answer)
    return answer


def numbers_in(value: Any) -> Iterator[float]:
    """Every number somewhere inside a JSON value."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return
    if isinstance(value, (int, float)):
        yield value
    else:
        for inner in value.values() if isinstance(value, dict) else value:
            yield from numbers_in(inner)


def strings_in(value: Any) -> Iterator[str]:
    """Every string somewhere inside a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from strings_in(inner)


# Compression ------------------------------------------------------------------------------------------------


def zstd(content: bytes) -> bytes:
    """Write a zstd frame of stored blocks: valid for any decoder, and no library is needed."""
    frame = b"\x28\xb5\x2f\xfd" + b"\x00" + b"\x38"  # magic; no options; a window of 128 KiB
    pieces = [content[i : i + 65536] for i in range(0, len(content), 65536)] or [b""]
    for number, piece in enumerate(pieces):
        last = number == len(pieces) - 1
        frame += (len(piece) << 3 | last).to_bytes(3, "little") + piece
    return frame


def zstd_bomb(size: int) -> bytes:
    """Write a zstd frame of a few kilobytes that is this many letters long (a multiple of 65536)."""
    blocks = size // 65536
    run = (65536 << 3 | 2).to_bytes(3, "little") + b"a"
    last = (65536 << 3 | 2 | 1).to_bytes(3, "little") + b"a"
    return b"\x28\xb5\x2f\xfd\x00\x38" + run * (blocks - 1) + last


def gzip_bomb(size: int) -> bytes:
    """Write the gzip of this many letters: equal members one after the other, a thousandth of the size."""
    piece = gzip.compress(b"a" * 2**20, mtime=0)
    return gzip.compress(b'{"user_id": "', mtime=0) + piece * math.ceil(size / 2**20)


@cache
def gzip_bomb_in_one(size: int) -> bytes:
    """Write the gzip of this many letters as a single member."""
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    pieces = [packer.compress(b'{"user_id": "')]
    pieces += [packer.compress(b"a" * 2**20) for _ in range(size // 2**20)]
    return b"".join([*pieces, packer.flush()])


# Below HTTP -------------------------------------------------------------------------------------------------


def dial(base_url: str) -> socket.socket:
    """Open a plain TCP connection to the service."""
    url = urlsplit(base_url)
    assert url.hostname
    return socket.create_connection((url.hostname, url.port or 80), timeout=PATIENCE)


def raw_request(path: str, body: bytes = b"", method: str = "POST", **headers: str) -> bytes:
    """Write an HTTP/1.1 request as bytes; a header given as an empty string is left out."""
    named = {"Host": "localhost", "Content-Type": "application/json", "Content-Length": str(len(body))}
    named |= {key.replace("_", "-"): value for key, value in headers.items()}
    lines = [f"{method} {path} HTTP/1.1", *(f"{key}: {value}" for key, value in named.items() if value)]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def everything_from(line: socket.socket) -> bytes:
    """Read until the other side closes; a reset is a close too. A silence of PATIENCE seconds is a failure."""
    heard = b""
    try:
        while piece := line.recv(65536):
            heard += piece
    except ConnectionError:
        pass
    return heard


def statuses_in(heard: bytes) -> list[int]:
    """Find the status codes of the HTTP/1 answers in a stream."""
    return [int(code) for code in re.findall(rb"HTTP/1\.[01] (\d{3})", heard)]


def refusal_in(heard: bytes) -> dict[str, Any]:
    """Return the problem that is the one answer on a connection, which it closes."""
    head, _, body = heard.partition(b"\r\n\r\n")
    assert b"\r\nconnection: close" in head.lower(), heard
    assert b"\r\ncontent-type: application/problem+json" in head.lower(), heard
    problem = strict_json(body.decode())
    assert [problem["status"]] == statuses_in(heard)
    return dict(problem)
