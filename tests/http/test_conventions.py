"""What holds on every path: timestamps, problems, status codes, compression."""

import gzip
import json
import re
import select
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.support.wire import (
    DAY,
    WRITES,
    beat,
    dial,
    errors_of,
    event,
    gzip_bomb,
    gzip_bomb_in_one,
    ingest,
    item_with,
    keeps_to_itself,
    moment,
    raw_request,
    reading,
    refused,
    send,
    statuses_in,
    stays_calm,
    strict_json,
    summary,
    summary_url,
    with_item,
    write_examples,
    zstd,
    zstd_bomb,
)

READS = [
    ("/metrics", {"user_id": "303"}, ("start_date", "end_date")),
    ("/metrics", {"tenant_id": "tenant_1", "bucket_size": "hour"}, ("start", "end")),
    ("/metrics/heart-rate", {"user_id": "303"}, ("start", "end")),
    ("/events", {"tenant_id": "tenant_1"}, ("start", "end")),
    ("/v1/users/303/summary", {}, ("start", "end")),
    ("/v1/users/303/readings", {}, ("start", "end")),
    ("/v1/events", {"tenant_id": "tenant_1"}, ("start", "end")),
    ("/v1/events/metrics", {"tenant_id": "tenant_1"}, ("start", "end")),
]
READ_PATHS = [path for path, _, _ in READS]
BOMB = 256 * 2**20


def invalid(path: str) -> int:
    """Tell the status that this path answers invalid input with."""
    return 400 if path.startswith("/metrics/heart-rate") else 422


def names_the_offset(problem: str) -> bool:
    return re.search(r"offset|time.?zone", problem, re.IGNORECASE) is not None


def timestamp_of(client: httpx.Client, **changes: Any) -> str:
    """How the service writes the timestamp of an event that was sent like this."""
    answer = client.post("/events", json=event(**changes))
    assert answer.status_code == 201, answer.text
    return str(client.get("/events", params={"tenant_id": "tenant_1"}).json()["events"][0]["timestamp"])


# Timestamps -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("2024-01-15T10:00:00Z", "2024-01-15T10:00:00Z"),
        ("2024-01-15T10:00:00+00:00", "2024-01-15T10:00:00Z"),
        ("2024-01-15T10:00:00-00:00", "2024-01-15T10:00:00Z"),
        ("2024-01-15T12:00:00+02:00", "2024-01-15T10:00:00Z"),
        ("2024-01-15T04:30:00-05:30", "2024-01-15T10:00:00Z"),
        ("2024-01-15T00:30:00+14:00", "2024-01-14T10:30:00Z"),
        ("2023-12-31T23:59:59-01:00", "2024-01-01T00:59:59Z"),
        ("2024-02-29T00:00:00Z", "2024-02-29T00:00:00Z"),
        ("2024-01-15T10:00:00.000Z", "2024-01-15T10:00:00Z"),
        ("2024-01-15T10:00:00.5Z", "2024-01-15T10:00:00.5Z"),
        ("2024-01-15T10:00:00.250000Z", "2024-01-15T10:00:00.25Z"),
        ("2024-01-15T10:00:00.123456Z", "2024-01-15T10:00:00.123456Z"),
        ("2024-01-15T10:00:00.000001Z", "2024-01-15T10:00:00.000001Z"),
        ("2024-01-15T12:00:00.100+02:00", "2024-01-15T10:00:00.1Z"),
        ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z"),
        ("1969-12-31T23:59:59.999999Z", "1969-12-31T23:59:59.999999Z"),
    ],
)
def test_a_moment_is_told_in_utc_and_no_longer_than_needed(client: httpx.Client, written: str, told: str) -> None:
    assert timestamp_of(client, timestamp=written) == told


@pytest.mark.parametrize("path", WRITES)
@pytest.mark.parametrize("naive", ["2024-01-15T10:00:00", "2024-01-15T10:00:00.5", "2024-01-15 10:00:00"])
def test_a_timestamp_without_offset_is_refused_and_told_why(visitor: httpx.Client, path: str, naive: str) -> None:
    answer = send(visitor, path, with_item(path, item_with(path, "timestamp", json.dumps(naive))))
    assert answer.status_code == invalid(path)
    keeps_to_itself(answer)
    (error,) = answer.json()["errors"]
    assert error["at"].endswith("timestamp")
    assert error["value"] == naive
    assert names_the_offset(error["problem"]), error


@pytest.mark.parametrize(("path", "asked", "names"), READS)
@pytest.mark.parametrize("which", [0, 1])
def test_a_range_without_offset_is_refused_and_told_why(
    visitor: httpx.Client, path: str, asked: dict[str, str], names: tuple[str, str], which: int
) -> None:
    edges = {names[which]: f"{DAY}T10:00:00", names[1 - which]: moment()}
    (error,) = errors_of(visitor.get(path, params=asked | edges), invalid(path))
    assert names[which] in error["at"]
    assert names_the_offset(error["problem"]), error


@pytest.mark.parametrize(("path", "asked", "names"), READS)
def test_a_start_after_the_end_is_an_error_everywhere(
    visitor: httpx.Client, path: str, asked: dict[str, str], names: tuple[str, str]
) -> None:
    edges = {names[0]: moment("10:00:00.000001"), names[1]: moment("10:00:00")}
    errors = errors_of(visitor.get(path, params=asked | edges), invalid(path))
    assert any(name in error["at"] for error in errors for name in names), errors


@pytest.mark.parametrize("plus", ["+", "%2B", "%20"])
@pytest.mark.parametrize(("path", "asked", "names"), READS)
def test_a_plus_in_a_query_may_be_written_as_it_is(
    client: httpx.Client, path: str, asked: dict[str, str], names: tuple[str, str], plus: str
) -> None:
    """12:00+02:00 is 10:00 UTC; an unescaped plus turns into a space on its way."""
    client.post("/ingest", json=ingest(303))
    client.post("/events", json=event())
    query = "&".join(f"{name}={value}" for name, value in asked.items())
    start, end = (f"{DAY}T{clock}{plus}02:00" for clock in ("12:00:00", "12:00:01"))
    answer = client.get(f"{path}?{query}&{names[0]}={start}&{names[1]}={end}")
    assert answer.status_code == 200, answer.text
    assert moment("10:00:00") in answer.text or answer.json().get("total_steps") == 400


def test_a_range_is_told_as_it_was_understood(client: httpx.Client) -> None:
    client.post("/v1/readings", json=reading())
    asked = {"start": f"{DAY}T11:00:00.500+02:00", "end": f"{DAY}T05:00:00.000-06:00"}
    answer = client.get(summary_url(), params=asked).json()
    assert (answer["start"], answer["end"]) == (moment("09:00:00.5"), moment("11:00:00"))


# Problems ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["/nothing", "/v1", "/v1/nothing", "/v1/users/ada/nothing", "/metrics/nothing", "/ingest/x"]
)
def test_no_such_path_is_a_problem(visitor: httpx.Client, path: str) -> None:
    refused(visitor.get(path), 404)
    refused(visitor.post(path, json={}), 404)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/ingest"),
        ("POST", "/metrics"),
        ("GET", "/metrics/heart-rate/batch"),
        ("DELETE", "/metrics/heart-rate"),
        ("PUT", "/events"),
        ("GET", "/events/bulk"),
        ("POST", "/health"),
        ("POST", "/prometheus"),
        ("POST", "/v1/users/ada/summary"),
        ("PATCH", "/v1/readings"),
        ("POST", "/v1/users/ada"),
        ("GET", "/v1/users/ada"),
        ("POST", "/v1/users"),
        ("PUT", "/v1/users/ada/readings"),
        ("DELETE", "/v1/events"),
        ("POST", "/v1/events/metrics"),
    ],
)
def test_another_method_is_a_problem_that_names_the_right_ones(visitor: httpx.Client, method: str, path: str) -> None:
    answer = visitor.request(method, path)
    refused(answer, 405)
    assert answer.headers["allow"]
    assert method not in re.split(r",\s*", answer.headers["allow"])


@pytest.mark.parametrize("path", WRITES)
@pytest.mark.parametrize("kind", ["text/plain", "application/xml", "multipart/form-data; boundary=x", "image/png"])
def test_another_content_type_is_a_415(visitor: httpx.Client, path: str, kind: str) -> None:
    answer = send(visitor, path, json.dumps(write_examples()[path]).encode(), content_type=kind)
    refused(answer, *((415, 400) if path.startswith("/metrics/heart-rate") else (415,)))


@pytest.mark.parametrize("path", WRITES)
@pytest.mark.parametrize(
    "kind", ["application/json; charset=utf-8", "Application/JSON", 'application/json;charset="UTF-8"']
)
def test_json_may_be_announced_in_several_ways(visitor: httpx.Client, path: str, kind: str) -> None:
    answer = send(visitor, path, json.dumps(write_examples()[path]).encode(), content_type=kind)
    assert 200 <= answer.status_code < 300, answer.text


@pytest.mark.parametrize("path", WRITES)
def test_what_is_not_json_is_a_400_everywhere(visitor: httpx.Client, path: str) -> None:
    refused(send(visitor, path, b'{"user_id": '), 400)


@pytest.mark.parametrize("path", WRITES)
def test_a_wrong_value_is_placed_described_and_shown(visitor: httpx.Client, path: str) -> None:
    field, raw = ("payload", "7") if "events" in path else ("heart_rate", "900")
    answer = send(visitor, path, with_item(path, item_with(path, field, raw)))
    assert answer.status_code == invalid(path)
    (error,) = answer.json()["errors"]
    assert error["at"].endswith(field)
    assert error["value"] == json.loads(raw)
    assert error["problem"]


@pytest.mark.parametrize(
    ("path", "body", "at"),
    [
        ("/ingest", ingest(heart_rate=900), "heart_rate"),
        ("/metrics/heart-rate", beat(heart_rate=900), "heart_rate"),
        ("/metrics/heart-rate/batch", {"readings": [beat(heart_rate=900)]}, "readings[0].heart_rate"),
        ("/events", event(timestamp="never"), "timestamp"),
        ("/events/bulk", {"events": [event(), event(), event(timestamp="never")]}, "events[2].timestamp"),
        ("/v1/readings", reading(heart_rate=900), "heart_rate"),
        ("/v1/readings", {"readings": [reading(heart_rate=900)]}, "readings[0].heart_rate"),
    ],
)
def test_a_place_is_written_as_a_path_into_the_body(visitor: httpx.Client, path: str, body: Any, at: str) -> None:
    answer = visitor.post(path, json=body)
    assert answer.status_code == invalid(path)
    assert [error["at"] for error in answer.json()["errors"]] == [at]


def test_a_bound_is_named_in_the_problem(visitor: httpx.Client) -> None:
    (error,) = errors_of(visitor.post("/ingest", json=ingest(heart_rate=900)))
    assert error == {"at": "heart_rate", "problem": "must be between 30 and 220", "value": 900}


# Compression ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", WRITES)
def test_a_body_may_be_gzipped(visitor: httpx.Client, path: str) -> None:
    body = gzip.compress(json.dumps(write_examples()[path]).encode())
    answer = send(visitor, path, body, content_encoding="gzip")
    assert 200 <= answer.status_code < 300, answer.text


def test_a_gzipped_body_says_the_same(client: httpx.Client) -> None:
    many = [reading(f"10:{n // 60:02}:{n % 60:02}", heart_rate=60 + n % 50) for n in range(1000)]
    send(client, "/v1/readings", gzip.compress(json.dumps(many).encode()), content_encoding="gzip")
    told = client.post("/v1/readings", json=many).json()
    assert (told["received"], told["unchanged"]) == (1000, 1000)


def test_a_gzipped_body_may_have_several_members(client: httpx.Client) -> None:
    text = json.dumps(reading()).encode()
    body = gzip.compress(text[:20]) + gzip.compress(text[20:])
    assert send(client, "/v1/readings", body, content_encoding="gzip").status_code == 200


@pytest.mark.parametrize("path", WRITES)
def test_a_body_may_be_zstd(visitor: httpx.Client, path: str) -> None:
    body = zstd(json.dumps(write_examples()[path]).encode())
    answer = send(visitor, path, body, content_encoding="zstd")
    if answer.status_code == 415:
        pytest.importorskip("zstandard", reason="the service decodes zstd where Python can")
    assert 200 <= answer.status_code < 300, answer.text


@pytest.mark.parametrize("path", WRITES)
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"plain",
        b"\x1f\x8b",
        gzip.compress(b"{}")[:-4],
        gzip.compress(b'{"user_id": 1')[:12],
        gzip.compress(b"{}") + b"x",
    ],
    ids=["empty", "plain", "magic-only", "no-length", "cut", "trailing"],
)
def test_a_broken_gzip_body_is_a_400(visitor: httpx.Client, path: str, body: bytes) -> None:
    answer = stays_calm(send(visitor, path, body, content_encoding="gzip"))
    refused(answer, 400, 422)


@pytest.mark.parametrize("path", WRITES)
@pytest.mark.parametrize("encoding", ["br", "compress", "nonsense"])
def test_another_content_encoding_is_a_415(visitor: httpx.Client, path: str, encoding: str) -> None:
    refused(send(visitor, path, json.dumps(write_examples()[path]).encode(), content_encoding=encoding), 415)


@pytest.mark.parametrize("path", WRITES)
@pytest.mark.parametrize("bomb", [gzip_bomb, gzip_bomb_in_one])
def test_a_gzip_bomb_is_too_large(visitor: httpx.Client, path: str, bomb: Callable[[int], bytes]) -> None:
    """A quarter of a gibibyte of one string, in about a thousandth of that."""
    refused(send(visitor, path, bomb(BOMB), content_encoding="gzip"), 413)


@pytest.mark.parametrize("path", WRITES)
def test_a_zstd_bomb_is_too_large(visitor: httpx.Client, path: str) -> None:
    answer = send(visitor, path, zstd_bomb(BOMB), content_encoding="zstd")
    if answer.status_code == 415:
        pytest.importorskip("zstandard", reason="the service decodes zstd where Python can")
    refused(answer, 413)


@pytest.mark.parametrize("path", WRITES)
def test_an_endless_body_is_stopped(base_url: str, path: str) -> None:
    """A body announced as a tebibyte is refused on its announcement, or as soon as too much of it has come."""
    with dial(base_url) as line:
        line.sendall(raw_request(path, Content_Length=str(2**40), Connection="close") + b'{"user_id": "')
        try:
            for _ in range(256):
                if select.select([line], [], [], 0)[0]:
                    break
                line.sendall(b"a" * 2**20)
        except ConnectionError:
            pass  # it hung up; what it said before is still to be read
        assert statuses_in(line.recv(65536)) == [413]


@pytest.mark.parametrize("path", WRITES)
def test_an_endless_body_in_chunks_is_stopped(base_url: str, path: str) -> None:
    with dial(base_url) as line:
        head = raw_request(path, Content_Length="", Transfer_Encoding="chunked", Connection="close")
        line.sendall(head + b'd\r\n{"user_id": "\r\n')
        try:
            for _ in range(256):
                if select.select([line], [], [], 0)[0]:
                    break
                line.sendall(b"100000\r\n" + b"a" * 2**20 + b"\r\n")
        except ConnectionError:
            pass  # it hung up; what it said before is still to be read
        assert statuses_in(line.recv(65536)) == [413]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/users", 200),
        ("/v1/users/ada/latest", 200),
        ("/v1/users/ada/readings", 404),
        ("/v1/users/ada/summary?start=x", 422),
        ("/v1/users/nobody/latest", 404),
        ("/v1/overview", 200),
        ("/health", 200),
        ("/nothing", 404),
    ],
)
def test_answers_are_kept_by_nothing_and_shown_to_no_other_site(client: httpx.Client, path: str, status: int) -> None:
    client.post("/v1/readings", json=reading())
    answer = client.get(path)
    assert answer.status_code == status
    private = ("no-store", "nosniff", "same-origin")
    names = ("cache-control", "x-content-type-options", "cross-origin-resource-policy")
    assert tuple(answer.headers[name] for name in names) == private
    # Those that the fast path and the limits give, too.
    for refusal in (client.post("/v1/readings", content=b"{"), client.get("/", headers={"x": "y" * 70_000})):
        assert tuple(refusal.headers[name] for name in names) == private


def test_files_of_the_dashboard_may_be_kept(visitor: httpx.Client) -> None:
    answer = visitor.get("/")
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_answers_that_depend_on_what_is_accepted_say_so(client: httpx.Client) -> None:
    client.post("/v1/readings", json=reading())
    for accept in ("application/json", "text/csv", "application/x-ndjson"):
        asked = {"start": moment("00:00:00"), "end": moment("23:00:00")}
        answer = client.get("/v1/users/ada/readings", params=asked, headers={"accept": accept})
        assert "accept" in answer.headers["vary"].lower().replace("accept-encoding", "")
    assert client.head("/v1/live", headers={"accept": "text/event-stream"}).headers["vary"].lower() == "accept"


def test_a_long_answer_is_compressed_on_request(client: httpx.Client) -> None:
    client.post("/events/bulk", json={"events": [event(f"evt_{n}") for n in range(100)]})
    asked = {"tenant_id": "tenant_1"}
    short = client.get("/events", params=asked, headers={"accept-encoding": "gzip"})
    plain = client.get("/events", params=asked, headers={"accept-encoding": "identity"})
    assert short.headers["content-encoding"] == "gzip"
    assert "accept-encoding" in short.headers["vary"].lower()
    assert "content-encoding" not in plain.headers
    assert strict_json(short.text) == strict_json(plain.text)


@pytest.mark.parametrize("accept", ["gzip;q=0", "identity", "br", "*;q=0", "", "gzip;q=0, identity"])
def test_nothing_is_compressed_for_who_did_not_ask(visitor: httpx.Client, accept: str) -> None:
    answer = visitor.get("/openapi.json", headers={"accept-encoding": accept})
    assert answer.headers.get("content-encoding") != "gzip"
    assert strict_json(answer.text)["openapi"]


# Numbers and text -------------------------------------------------------------------------------------------


def test_text_is_utf_8(visitor: httpx.Client) -> None:
    body = json.dumps(reading(user_id="Ünïcödé 日本 👩‍⚕️"), ensure_ascii=False).encode()
    assert send(visitor, "/v1/readings", body).status_code == 200
    assert summary(visitor, "Ünïcödé 日本 👩‍⚕️")["user_id"] == "Ünïcödé 日本 👩‍⚕️"


def test_an_escaped_surrogate_pair_is_one_character(visitor: httpx.Client) -> None:
    body = rb'{"user_id": "\ud83d\ude00", "timestamp": "2024-01-15T10:00:00Z", "heart_rate": 75}'
    assert send(visitor, "/v1/readings", body).status_code == 200
    assert summary(visitor, "\U0001f600")["user_id"] == "\U0001f600"


@pytest.mark.parametrize("raw", ["75", "75.0", "7.5e1", "750e-1", "75.00000000000000000000000000001"])
def test_a_number_may_be_written_in_any_way(client: httpx.Client, raw: str) -> None:
    body = with_item("/v1/readings", item_with("/v1/readings", "heart_rate", raw))
    assert send(client, "/v1/readings", body).status_code == 200
    assert summary(client)["heart_rate"]["avg"] == 75.0
