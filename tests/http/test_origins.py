"""Pages of other origins: refused, with the headers that were compared and what can be done."""

from __future__ import annotations

import json

import httpx
import psycopg
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.support.service_process import running_service
from tests.support.wire import in_path, reading, refused

ORIGINS = ["https://hp.example.org", "capacitor://localhost", "null", "http://127.0.0.1:1"]


def explains(detail: str, origin: str, host: str) -> bool:
    """Whether a sentence names both headers, what they held, and what can be done."""
    told = ("Origin", "Host", origin, host, "proxy_set_header Host $http_host", "docs/proxy.md")
    return all(word in detail for word in told)


@pytest.mark.parametrize("origin", ORIGINS)
def test_a_write_is_refused_with_the_reason(client: httpx.Client, origin: str) -> None:
    headers = {"origin": origin, "host": "localhost:8000"}
    problem = refused(client.post("/v1/readings", json=reading(), headers=headers), 403)
    assert explains(problem["detail"], origin, "localhost:8000")
    refused(client.get(f"/v1/users/{in_path('ada')}/latest"), 404)


@pytest.mark.parametrize("path", ["/v1/live", "/ws", "/ws/ada"])
def test_a_socket_is_refused_with_the_reason(visitor: httpx.Client, base_url: str, path: str) -> None:
    origin, host = ORIGINS[0], base_url.removeprefix("http://")
    with pytest.raises(InvalidStatus) as caught, connect(f"ws://{host}{path}", additional_headers={"Origin": origin}):
        pass
    answer = caught.value.response
    assert answer.status_code == 403
    assert answer.body is not None
    assert explains(json.loads(answer.body)["detail"], origin, host)


def test_a_proxy_that_hands_host_on_is_served(db: psycopg.Connection, database_url: str) -> None:
    headers = {"origin": "https://hp.example.org", "host": "hp.example.org"}
    with running_service(database_url, AUTH="off", ALLOWED_HOSTS="hp.example.org") as url:
        assert httpx.post(f"{url}/v1/readings", json=reading(), headers=headers).status_code == 200


def test_who_only_reads_is_served(visitor: httpx.Client) -> None:
    assert visitor.get("/v1/users", headers={"origin": "https://elsewhere.example"}).status_code == 200
