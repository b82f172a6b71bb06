"""What is seen at a glance: every user's day so far, and how the system does."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from service import __version__, answers, rejects
from service.answers import json_response
from service.database import fetch_all, fetch_one
from service.operations import Answer, Operation
from service.questions import Overview, ask
from service.readings import DEFAULT_TENANT
from service.state import state_of
from service.times import format_timestamp

MOST_USERS = 1000
MOMENTS = ("horizon", "last_refresh", "last_start", "next_start", "checked_at")


async def overview(request: Request) -> Response:
    """Answer with every user's day so far and last half hour."""
    question = ask(request, Overview)
    rows = await fetch_all(
        state_of(request).pool,
        "overview",
        tenant_id=DEFAULT_TENANT,
        tz=question.tz,
        user_ids=question.user_id or None,
        most=MOST_USERS,
    )
    bounds = {name: format_timestamp(rows[0][name]) if rows else None for name in BOUNDS}
    return json_response({"tz": question.tz, **bounds, "users": [at_a_glance(row) for row in rows]})


BOUNDS = ("day_start", "day_end", "first_minute")


def at_a_glance(row: dict[str, Any]) -> dict[str, Any]:
    """Write one user."""
    return {
        "user_id": row["user_id"],
        "steps": row["steps"],
        "calories": row["calories"],
        "heart_rate": row["heart_rates"],
    }


async def system(request: Request) -> Response:
    """Answer with how the database and this process do."""
    state = state_of(request)
    row = await fetch_one(state.pool, "system")
    rejected = [
        {"field": kind.field, "problem": kind.problem, "count": seen.times, "last": format_timestamp(seen.last)}
        for kind, seen in rejects.recent()
    ]
    return json_response(
        {
            "version": __version__,
            **{name: with_moments(part) for name, part in row.items()},
            "live_clients": state.hub.clients,
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
        "/v1/overview",
        overview,
        "Answers",
        "Every user at a glance",
        {
            200: Answer(
                "Steps and calories of today, and the average heart rate of each of the last 30 minutes.",
                answers.OverviewDocument,
                {
                    "tz": "Europe/Berlin",
                    "day_start": "2025-01-14T23:00:00Z",
                    "day_end": "2025-01-15T23:00:00Z",
                    "first_minute": "2025-01-15T09:31:00Z",
                    "users": [
                        {"user_id": "user_123", "steps": 400, "calories": 15.2, "heart_rate": [None] * 29 + [75.0]}
                    ],
                },
            )
        },
        description=f"The {MOST_USERS} users that were registered first, or those named. Exact, like everything; "
        "what a live message does not carry.",
        questions=[Overview],
    ),
    Operation(
        "GET",
        "/v1/system",
        system,
        "System",
        "How the database and the service do",
        {
            200: Answer(
                "Freshness of the rollups, jobs, sizes, and for which reasons items were refused lately.",
                answers.SystemDocument,
            )
        },
        description="Jobs have no statistics where the database keeps none. Refused items are counted by this process "
        "since it began: fields and reasons only, no values.",
        refuses=(503,),
    ),
]
