"""Every user at a glance: the day so far, and the last half hour."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from service.answers.parameters import Overview, parse_query
from service.answers.schemas.users import OverviewDocument
from service.database.pool import fetch_all
from service.http.responses import json_response
from service.http.tenancy import tenant_of
from service.model.timestamps import format_timestamp
from service.routes.operation import Answer, Operation
from service.routes.read_your_writes import reads_of

MOST_USERS = 1000
BOUNDS = ("day_start", "day_end", "first_minute")


async def overview(request: Request) -> Response:
    """Answer with every user's day so far and last half hour."""
    query = parse_query(request, Overview)
    rows = await fetch_all(
        reads_of(request),
        "overview",
        tenant_id=tenant_of(request),
        tz=query.tz,
        user_ids=query.user_id or None,
        most=MOST_USERS,
    )
    bounds = {name: format_timestamp(rows[0][name]) if rows else None for name in BOUNDS}
    return json_response({"tz": query.tz, **bounds, "users": [at_a_glance(row) for row in rows]})


def at_a_glance(row: dict[str, Any]) -> dict[str, Any]:
    """Write one user."""
    return {
        "user_id": row["user_id"],
        "steps": row["steps"],
        "calories": row["calories"],
        "heart_rate": row["heart_rates"],
    }


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
                OverviewDocument,
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
        access="read",
        description=f"The {MOST_USERS} users that were registered first, or those named. Exact, like everything; "
        "what a live message does not carry.",
        queries=[Overview],
    ),
]
