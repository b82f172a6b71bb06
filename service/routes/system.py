"""How the service does: whether it answers, whether it is ready, and all that it knows of itself and its database."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from psycopg.rows import DictRow
from starlette.requests import Request
from starlette.responses import Response

from service import __version__
from service.answers.schemas.system import Health, Ready, SystemDocument
from service.auth.local import is_local
from service.database.pool import fetch_one
from service.database.schema import api_digest, migration_names
from service.errors import Overloaded
from service.http.departure import is_withdrawn
from service.http.responses import json_response
from service.model.timestamps import format_timestamp
from service.routes.operation import Answer, Operation
from service.state import state_of

MOMENTS = ("horizon", "last_refresh", "seen", "last_start", "next_start", "last_failed", "checked_at")


async def health(request: Request) -> Response:
    """Answer that the process answers."""
    return json_response({"status": "healthy", "service": "hyperpulse"})


async def ready(request: Request) -> Response:
    """Answer whether requests can be served; only this machine itself hears why not."""
    if is_withdrawn(request.scope):
        raise Overloaded("This process is about to stop; ask another one.")
    try:
        row = await readiness(request)
    except Overloaded as problem:
        if is_local(request.scope):
            raise
        raise Overloaded(
            "The service is not ready; ask on its own machine for the reason.", problem.retry_after
        ) from None
    versions = {"timescaledb": row["timescaledb"]} if is_local(request.scope) else {}
    return json_response({"status": "ready", "database": "ok", **versions})


async def readiness(request: Request) -> DictRow:
    """Return what the database says of itself; Overloaded where it is away or has not been this release's yet."""
    row = await fetch_one(state_of(request).pool, "readiness")
    if row["is_standby"]:
        raise Overloaded("The database is a standby now, which takes no writes.")
    missing = sorted(set(migration_names()) - set(row["migrations"]))
    if missing:
        raise Overloaded(f"Migrations are pending: {', '.join(missing)}. Run `make migrate`.", retry_after=5)
    # A later release that has migrated already, ahead of this process, keeps what this one calls.
    if api_digest() not in row["api_digests"]:
        raise Overloaded("The schema api is not this release's. Run `make migrate`.", retry_after=5)
    return row


async def system(request: Request) -> Response:
    """Answer with how the database and the service do."""
    state = state_of(request)
    row = await fetch_one(state.pool, "system")
    stats = state.worker_stats.aggregated()
    rejected = [
        {"field": field, "problem": problem, "count": times, "last": format_timestamp(last)}
        for field, problem, times, last in stats.rejections
    ]
    return json_response(
        {
            "version": __version__,
            **{name: with_moments(part) for name, part in row.items()},
            "live_clients": stats.live_clients,
            "rejected": rejected,
        }
    )


def with_moments(part: Any) -> Any:
    """Write the moments of a part as every answer does; JSON in the database has them with an offset."""
    if isinstance(part, list):
        return [with_moments(item) for item in part]
    if not isinstance(part, dict):
        return part
    written = {name: format_timestamp(datetime.fromisoformat(part[name])) for name in MOMENTS if part.get(name)}
    return {**part, **written}


OPERATIONS = [
    Operation(
        "GET",
        "/health",
        health,
        "System",
        "Whether the process answers",
        {200: Answer("It does.", Health, {"status": "healthy", "service": "hyperpulse"})},
        access=None,
        refuses=(),
    ),
    Operation(
        "GET",
        "/ready",
        ready,
        "System",
        "Whether requests can be served",
        {200: Answer("They can.", Ready, {"status": "ready", "database": "ok", "timescaledb": "2.24.0"})},
        access=None,
        refuses=(503,),
    ),
    Operation(
        "GET",
        "/v1/system",
        system,
        "System",
        "How the database and the service do",
        {
            200: Answer(
                "Freshness of the rollups, who refreshes them, jobs, sizes, and why items were refused lately.",
                SystemDocument,
            )
        },
        access="operate",
        description="Runs tell of refresh and upkeep, by the elected process of the service, by a job of the database "
        "or by hand. Jobs have no statistics where the database keeps none. Refused items are counted by the service "
        "since it began: fields and reasons only, no values.",
        refuses=(503,),
    ),
]
