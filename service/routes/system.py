"""Whether the service works: `GET /health` and `GET /ready`."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from service import answers
from service.answers import json_response
from service.database import fetch_one
from service.operations import Answer, Operation
from service.problems import Overloaded
from service.schema import api_digest, migration_names
from service.state import state_of


async def health(request: Request) -> Response:
    """Answer that the process answers."""
    return json_response({"status": "healthy", "service": "hyperpulse"})


async def ready(request: Request) -> Response:
    """Answer whether the database answers and its schema is this release's."""
    row = await fetch_one(state_of(request).pool, "readiness")
    missing = sorted(set(migration_names()) - set(row["migrations"]))
    if missing:
        raise Overloaded(f"Migrations are pending: {', '.join(missing)}. Run `make migrate`.", retry_after=5)
    if row["api_digest"] != api_digest():
        raise Overloaded("The schema api is not this release's. Run `make migrate`.", retry_after=5)
    return json_response({"status": "ready", "database": "ok", "timescaledb": row["timescaledb"]})


OPERATIONS = [
    Operation(
        "GET",
        "/health",
        health,
        "System",
        "Whether the process answers",
        {200: Answer("It does.", answers.Health, {"status": "healthy", "service": "hyperpulse"})},
        refuses=(),
    ),
    Operation(
        "GET",
        "/ready",
        ready,
        "System",
        "Whether requests can be served",
        {200: Answer("They can.", answers.Ready, {"status": "ready", "database": "ok", "timescaledb": "2.24.0"})},
        refuses=(503,),
    ),
]
