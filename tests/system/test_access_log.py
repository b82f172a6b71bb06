"""The log of a real process: with ACCESS_LOG=1 a line for each request, without anything that its client sent."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import psycopg

from tests.support.ports import free_port
from tests.support.processes import Started, started
from tests.support.service_process import wait_until_healthy
from tests.support.wire import reading


@contextmanager
def logging_service(database_url: str, **environment: str) -> Iterator[tuple[httpx.Client, Started]]:
    """Run a service whose log is read."""
    port = free_port()
    environment |= {"DATABASE_URL": database_url, "PORT": str(port), "REFRESH_SECONDS": "off"}
    with started([sys.executable, "-m", "service"], **environment) as command:
        url = f"http://127.0.0.1:{port}"
        wait_until_healthy(url, command.process)  # type: ignore[arg-type]
        with httpx.Client(base_url=url, timeout=30) as client:
            yield client, command


def line_of(command: Started, request_id: str) -> dict[str, Any]:
    """Wait for the line about a request."""
    line: dict[str, Any] = json.loads(command.wait_for(f'"request_id": "{request_id}"', 20))
    return line


def test_each_request_is_a_line(database_url: str, db: psycopg.Connection) -> None:
    with logging_service(database_url, ACCESS_LOG="1") as (client, command):
        answers = {
            "write-1": client.post("/v1/readings", json=reading(), headers={"X-Request-Id": "write-1"}),
            "read.2": client.get("/v1/users/ada/latest?x=secret", headers={"X-Request-Id": "read.2"}),
            "none_3": client.request("PURGE", "/nowhere/ada", headers={"X-Request-Id": "none_3"}),
        }
        lines = {name: line_of(command, name) for name in answers}
        made = client.get("/health").headers["x-request-id"]
        assert line_of(command, made)["route"] == "/health"
        forged = client.get("/health", headers={"X-Request-Id": 'a"} {'}).headers["x-request-id"]
        assert re.fullmatch("[0-9a-f]{16}", forged)
    for name, answer in answers.items():
        assert answer.headers["x-request-id"] == name
        line = lines[name]
        assert list(line) == ["time", "level", "logger", "message", "request_id", "method", "route", "status", "ms"]
        assert (line["level"], line["logger"], line["message"]) == ("INFO", "hyperpulse.access", "request")
        assert line["status"] == answer.status_code
        assert 0 < line["ms"] < 30_000
    said = {name: (line["method"], line["route"]) for name, line in lines.items()}
    assert said == {
        "write-1": ("POST", "/v1/readings"),
        "read.2": ("GET", "/v1/users/{user_id}/latest"),
        "none_3": ("other", ""),
    }
    text = "\n".join(command.lines)
    for word in ("ada", "secret", "watch", "nowhere", "PURGE"):
        assert word not in text


def test_without_it_only_failures_are_logged() -> None:
    nowhere = f"postgresql://nobody@127.0.0.1:{free_port()}/nothing"
    with logging_service(nowhere) as (client, command):
        assert "x-request-id" not in client.get("/health").headers
        assert client.get("/v1/system", headers={"X-Request-Id": "trace-1"}).status_code == 503
        line = line_of(command, "trace-1")
        assert (line["level"], line["logger"]) == ("WARNING", "hyperpulse")
        assert "database" in line["message"]
        client.get("/health")
    assert "access" not in command.output()
