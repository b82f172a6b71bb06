"""Users: who there is, what each was last seen with, and forgetting one."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from service.answers.cursors import cut_page, read_cursor
from service.answers.latest_values import Measurements, others_of
from service.answers.parameters import Latest, UsersAfter, parse_query
from service.answers.schemas.users import ErasureReceipt, LatestDocument, UsersAfterDocument
from service.auth.principal import key_of
from service.database.pool import fetch_all
from service.errors import NotFound
from service.http.responses import json_response
from service.http.tenancy import tenant_of
from service.ingest.administration import erase_user
from service.model.latest import latest_of
from service.model.timestamps import format_timestamp
from service.routes.operation import Answer, Operation
from service.routes.read_your_writes import reads_of
from service.state import state_of


async def users(request: Request) -> Response:
    """Answer with a page of users, by name, and when each was last seen."""
    query = parse_query(request, UsersAfter)
    (after,) = [None] if query.cursor is None else read_cursor(query.cursor, 1)
    rows = await fetch_all(
        reads_of(request), "users_after", tenant_id=tenant_of(request), after=after, limit=query.limit + 1
    )
    shown, next_cursor = cut_page(rows, query.limit, "user_id")
    return json_response(
        {
            "users": [
                {"user_id": row["user_id"], "last_seen": row["last_seen"] and format_timestamp(row["last_seen"])}
                for row in shown
            ],
            "next_cursor": next_cursor,
        }
    )


async def latest(request: Request) -> Response:
    """Answer with each metric's latest value."""
    query = parse_query(request, Latest)
    metrics = query.metrics
    user_id = request.path_params["user_id"]
    source = reads_of(request, user_id)
    asked = {"tenant_id": tenant_of(request), "user_id": user_id}
    samples: list[dict[str, Any]] = []
    if metrics is None or metrics.others == []:
        rows = await fetch_all(source, "latest", **asked)
    else:
        both = await fetch_all(source, "latest_with_metrics", **asked, metrics=metrics.others)
        rows, samples = ([row for row in both if row["of_readings"] is there] for there in (True, False))
    document = Measurements(latest_of(rows), others_of(samples)).document(metrics)
    if document is None:
        raise NotFound("No reading of that user is known.")
    return json_response({"user_id": user_id, **document})


async def erase(request: Request) -> Response:
    """Erase a user everywhere and answer with a receipt, once it is committed."""
    state = state_of(request)
    user_id = request.path_params["user_id"]
    # One at a time, as in the database: those that wait need no connection.
    async with state.erasing:
        rows = await erase_user(state.pool, key_of(request.scope), tenant_of(request), user_id)
    erased = {row["place"]: row["erased"] for row in rows}
    receipt = {name: erased.pop(name) for name in ("readings", "samples", "intervals", "stale_days", "names")}
    return json_response({"user_id": user_id, **receipt, "rollups": erased})


OPERATIONS = [
    Operation(
        "GET",
        "/v1/users",
        users,
        "Users",
        "Users, and when each was last seen",
        {
            200: Answer(
                "Users by name, and the cursor of what follows.",
                UsersAfterDocument,
                {"users": [{"user_id": "user_123", "last_seen": "2025-01-15T10:00:00Z"}], "next_cursor": None},
            )
        },
        access="read",
        queries=[UsersAfter],
    ),
    Operation(
        "GET",
        "/v1/users/{user_id:name}/latest",
        latest,
        "Answers",
        "Each metric's latest value",
        {
            200: Answer(
                "The values, when they were measured, and by which device.",
                LatestDocument,
                {
                    "user_id": "user_123",
                    "last_seen": "2025-01-15T10:00:00Z",
                    "heart_rate": {"value": 75.0, "timestamp": "2025-01-15T10:00:00Z", "device_id": "watch"},
                    "steps": None,
                    "calories": None,
                },
            )
        },
        access="read",
        description="`metrics` adds the latest values of those metrics, null where one was never measured; last_seen "
        "is of these, too.",
        queries=[Latest],
        refuses=(404, 422, 503),
    ),
    Operation(
        "DELETE",
        "/v1/users/{user_id:name}",
        erase,
        "Users",
        "Erase a user everywhere",
        {
            200: Answer(
                "A receipt: how many rows were erased in each place; zeros where no user of that name is known.",
                ErasureReceipt,
                {
                    "user_id": "user_123",
                    "readings": 1440,
                    "samples": 0,
                    "intervals": 0,
                    "stale_days": 1,
                    "names": 1,
                    "rollups": {
                        "user_15m": 96,
                        "user_1h": 24,
                        "user_4h": 6,
                        "user_1d": 1,
                        "device_15m": 0,
                        "device_1h": 0,
                        "device_4h": 0,
                        "device_1d": 0,
                        "sample_15m": 0,
                        "sample_1h": 0,
                        "sample_1d": 0,
                        "sample_device_15m": 0,
                        "sample_device_1h": 0,
                        "sample_device_1d": 0,
                    },
                },
            )
        },
        access="admin",
        description="Readings, compressed ones too, every rollup of them, and the name, in one transaction; it waits "
        "for the piece of a refresh that is under way. Devices and events stay. Erasing again erases nothing. What is "
        "written for that user afterwards starts from nothing.",
        refuses=(403, 404, 503),
    ),
]
