"""Every path also works with one trailing slash: the same answer, without a redirect."""

import httpx
import pytest

from tests.support.wire import event, ingest, moment, reading, write_examples

START, END = moment("00:00:00"), moment("23:59:59")
READS = [
    ("/metrics", {"user_id": "303", "start_date": START, "end_date": END}),
    ("/metrics", {"tenant_id": "tenant_1", "bucket_size": "hour"}),
    ("/metrics/heart-rate", {"user_id": "303", "start": START, "end": END}),
    ("/events", {"tenant_id": "tenant_1"}),
    ("/health", {}),
    ("/ready", {}),
    ("/prometheus", {}),
    ("/docs", {}),
    ("/redoc", {}),
    ("/openapi.json", {}),
    ("/v1/users/303/summary", {"start": START, "end": END}),
    ("/v1/users/303/latest", {}),
    ("/v1/users/303/readings", {"start": START, "end": END}),
    ("/v1/users", {}),
    ("/v1/metrics", {}),
    ("/v1/events", {"tenant_id": "tenant_1", "start": START, "end": END}),
    ("/v1/events/metrics", {"tenant_id": "tenant_1", "start": START, "end": END}),
]


@pytest.mark.parametrize(("path", "asked"), READS)
def test_a_read_answers_the_same(client: httpx.Client, path: str, asked: dict[str, str]) -> None:
    client.post("/ingest", json=ingest())
    client.post("/events", json=event())
    plain, slashed = client.get(path, params=asked), client.get(path + "/", params=asked)
    assert plain.status_code == slashed.status_code == 200, slashed.text
    assert slashed.headers["content-type"] == plain.headers["content-type"]
    if path not in (
        "/docs",
        "/redoc",
        "/ready",
        "/prometheus",
    ):  # pages name files relative to themselves, counters count
        assert slashed.text == plain.text


@pytest.mark.parametrize(("path", "body"), write_examples().items())
def test_a_write_works(visitor: httpx.Client, path: str, body: object) -> None:
    slashed = visitor.post(path + "/", json=body)
    assert 200 <= slashed.status_code < 300, (slashed.status_code, slashed.text)


def test_an_erasure_works(client: httpx.Client) -> None:
    client.post("/v1/readings", json=[reading(user_id="a"), reading(user_id="a/")])
    assert client.delete("/v1/users/a%2F/").json()["readings"] == 1
    assert client.delete("/v1/users/a/").json()["readings"] == 1


def test_a_user_id_that_ends_in_a_slash_is_not_one_without(client: httpx.Client) -> None:
    client.post("/v1/readings", json=[reading(user_id="a", heart_rate=60), reading(user_id="a/", heart_rate=70)])
    for path, rate in (("a", 60), ("a%2F", 70)):
        for slash in ("", "/"):
            answer = client.get(f"/v1/users/{path}/summary{slash}", params={"start": START, "end": END})
            assert answer.json()["heart_rate"]["avg"] == rate
