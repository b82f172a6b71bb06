"""A small service on a real socket that keeps readings in a dict, answers by brute force, and fails on demand."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from fractions import Fraction
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

Key = tuple[str, str, datetime]
NOTHING_ELSE: dict[str, Any] = {"updated": 0, "unchanged": 0, "rejected": 0, "errors": []}
PRIORITY = {"device_a": 1, "device_b": 2}


class Dropped(Response):
    """An answer whose body never arrives: the connection closes instead."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the header only."""
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"9")]})


class StandIn:
    """The stored readings and the behaviour of the service."""

    def __init__(self) -> None:
        self.held: dict[Key, dict[str, float]] = {}
        self.devices: list[str] = []
        self.posts: list[list[dict[str, Any]]] = []
        self.paths: list[str] = []
        self.troubles: Callable[[int], str | None] = lambda number: None
        """The failure of a POST, by its number: "503", "500", "429", "drop", "lose", "slow" or nothing."""

    async def post(self, request: Request) -> Response:
        """Store readings or fail."""
        document = json.loads(await request.body())
        items = document if isinstance(document, list) else [document]
        self.posts.append(items)
        self.paths.append(request.url.path)
        trouble = self.troubles(len(self.posts) - 1)
        if trouble in ("500", "503", "429"):
            return Response(status_code=int(trouble), headers={"Retry-After": "0.2"} if trouble != "500" else {})
        if trouble == "lose":
            return Dropped()
        for item in items:
            self.take(item)
        if trouble == "slow":
            await asyncio.sleep(1)
        if trouble == "drop":
            return Dropped()
        if request.url.path == "/ingest":
            return JSONResponse({"message": "Data received", "ingested": len(items)})
        return JSONResponse({"received": len(items), "inserted": len(items), **NOTHING_ELSE})

    def take(self, item: dict[str, Any]) -> None:
        """Write one reading over the stored one."""
        device = item.get("device_id", "default")
        if device not in self.devices:
            self.devices.append(device)
        key = str(item["user_id"]), device, datetime.fromisoformat(item["timestamp"])
        fields = {name: item[name] for name in ("heart_rate", "steps", "calories") if name in item}
        self.held[key] = self.held.get(key, {}) | fields

    def counted(self, user: str, within: Callable[[datetime], bool]) -> dict[str, list[Fraction]]:
        """Return the values of a user: those of the best device, for each minute and metric."""
        found: dict[tuple[str, datetime], dict[str, list[Fraction]]] = defaultdict(lambda: defaultdict(list))
        for (owner, device, at), fields in self.held.items():
            if owner == user and within(at):
                for name, value in fields.items():
                    minute = at.replace(second=0, microsecond=0)
                    found[name, minute][device].append(Fraction(repr(value)))
        result: dict[str, list[Fraction]] = defaultdict(list)
        for (name, _), by_device in found.items():
            best = min(by_device, key=lambda device: (PRIORITY.get(device, 999), self.devices.index(device)))
            result[name] += by_device[best]
        return result

    async def summary(self, request: Request) -> Response:
        """Answer GET /v1/users/…/summary."""
        start, end = (datetime.fromisoformat(request.query_params[name]) for name in ("start", "end"))
        values = self.counted(request.path_params["user_id"], lambda at: start <= at < end)
        if not values:
            return Response(status_code=404)
        beats = values["heart_rate"]
        heart_rate = {
            "count": len(beats),
            "avg": float(sum(beats) / max(len(beats), 1)),
            "min": float(min(beats, default=Fraction(0))),
            "max": float(max(beats, default=Fraction(0))),
        }
        return JSONResponse(
            {
                "heart_rate": heart_rate if beats else None,
                "steps": int(sum(values["steps"])) if values["steps"] else None,
                "calories": float(sum(values["calories"])) if values["calories"] else None,
            }
        )

    async def metrics(self, request: Request) -> Response:
        """Answer GET /metrics."""
        start, end = (datetime.fromisoformat(request.query_params[name]) for name in ("start", "end"))
        values = self.counted(request.query_params["user_id"], lambda at: start <= at <= end)
        if not values:
            return Response(status_code=404)
        beats = values["heart_rate"]
        return JSONResponse(
            {
                "avg_heart_rate": float(sum(beats) / len(beats)) if beats else None,
                "total_steps": int(sum(values["steps"])) if values["steps"] else None,
                "total_calories": float(sum(values["calories"])) if values["calories"] else None,
            }
        )

    async def ready(self, request: Request) -> Response:
        """Answer GET /ready."""
        return JSONResponse({"status": "ready"})

    def app(self) -> Starlette:
        """Return the application."""
        return Starlette(
            routes=[
                Route("/ready", self.ready),
                Route("/ingest", self.post, methods=["POST"]),
                Route("/v1/readings", self.post, methods=["POST"]),
                Route("/v1/users/{user_id}/summary", self.summary),
                Route("/metrics", self.metrics),
            ]
        )


def listener(port: int = 0) -> socket.socket:
    """Open a listening socket on loopback; port 0 stands for a free one."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind(("127.0.0.1", port))
    return made


@contextmanager
def serving(stand_in: StandIn, port: int = 0) -> Iterator[str]:
    """Serve in a thread and yield the address."""
    listening = listener(port)
    config = uvicorn.Config(
        stand_in.app(),
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="critical",
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
        listening.close()


def in_turn(troubles: Iterable[str | None]) -> Callable[[int], str | None]:
    """Return failures for the first requests, and none afterwards."""
    listed = list(troubles)
    return lambda number: listed[number] if number < len(listed) else None
