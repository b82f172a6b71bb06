"""What is known of a user: summaries, minutes of heart rate, the latest values; and forgetting all of it."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from service import answers
from service.accept import choose
from service.answers import json_response
from service.cursors import after_moment, read_cursor, write_cursor
from service.database import fetch_all, fetch_one
from service.erasure import erase_user
from service.latest import latest_document
from service.operations import Answer, Operation
from service.problems import Invalid, Problem
from service.questions import HeartRateMinutes, RangeSummary, ReadingsAfter, Series, Summary, UsersAfter, ask
from service.readings import DEFAULT_TENANT
from service.state import state_of
from service.streams import CopyStream
from service.times import format_timestamp

JSON = "application/json"
# The query, what its file is called like, and what comes before the rows.
STREAMS = {
    "text/csv": ("readings_csv", "csv", b"user_id,device_id,timestamp,heart_rate,steps,calories\n"),
    "application/x-ndjson": ("readings_ndjson", "ndjson", b""),
}
MOST_POINTS = 100_000
NOTHING = "No reading of that user lies in the range."


async def summary(request: Request) -> Response:
    """Answer with the exact aggregates of a half-open range."""
    question = ask(request, Summary)
    user_id = request.path_params["user_id"]
    start, end = question.range
    row = await fetch_one(
        state_of(request).pool,
        "summary",
        tenant_id=DEFAULT_TENANT,
        user_id=user_id,
        start=start,
        end=end,
        device_id=question.device_id,
    )
    if row["first"] is None:
        raise Problem(404, NOTHING)
    return json_response(
        {
            "user_id": user_id,
            "start": format_timestamp(start),
            "end": format_timestamp(end),
            "heart_rate": heart_rate_of(row),
            "steps": row["steps"],
            "calories": row["calories"],
            "first": format_timestamp(row["first"]),
            "last": format_timestamp(row["last"]),
            "sources": row["sources"],
        }
    )


def heart_rate_of(row: dict[str, Any]) -> dict[str, Any] | None:
    """Return the four figures of heart rate; None where it was not measured."""
    if not row["heart_rate_count"]:
        return None
    return {name: row[f"heart_rate_{name}"] for name in ("count", "avg", "min", "max")}


async def series(request: Request) -> Response:
    """Answer with a range by bucket."""
    question = ask(request, Series)
    user_id = request.path_params["user_id"]
    start, end = question.range
    pool = state_of(request).pool
    asked = {"start": start, "end": end, "max_points": question.max_points}
    bucket = question.bucket
    if bucket == "auto":
        bucket = (await fetch_one(pool, "auto_bucket", **asked))["bucket"]
    rows = await fetch_all(
        pool,
        "series",
        tenant_id=DEFAULT_TENANT,
        user_id=user_id,
        bucket=bucket,
        tz=question.tz,
        device_id=question.device_id,
        fill=question.fill == "null",
        limit=MOST_POINTS + 1,
        **asked,
    )
    if len(rows) > MOST_POINTS:
        raise Invalid(f"The answer has more than {MOST_POINTS} points; ask for a shorter range or a coarser bucket.")
    return json_response(
        {
            "user_id": user_id,
            "bucket": bucket,
            "tz": question.tz,
            "points": [point(row) for row in rows],
            "sources": rows[0]["sources"] if rows else [],
        }
    )


def point(row: dict[str, Any]) -> dict[str, Any]:
    """Write one bucket."""
    heart_rate = heart_rate_of(row)
    if heart_rate is not None:
        heart_rate["device_id"] = row["heart_rate_device"]
    return {
        "t": format_timestamp(row["t"]),
        "heart_rate": heart_rate,
        "steps": row["steps"],
        "calories": row["calories"],
    }


async def range_metrics(request: Request) -> Response:
    """Answer with the three figures of a range, both ends included."""
    question = ask(request, RangeSummary)
    row = await fetch_one(
        state_of(request).pool,
        "summary_to_the_end",
        tenant_id=DEFAULT_TENANT,
        user_id=question.user_id,
        start=question.start,
        end=question.end,
    )
    if row["first"] is None:
        raise Problem(404, NOTHING)
    return json_response(
        {"avg_heart_rate": row["heart_rate_avg"], "total_steps": row["steps"], "total_calories": row["calories"]}
    )


async def heart_rate_minutes(request: Request) -> Response:
    """Answer with one-minute averages; invalid input is 400 here."""
    try:
        question = ask(request, HeartRateMinutes)
    except Invalid as invalid:
        raise Problem(400, invalid.detail, invalid.faults) from None
    rows = await fetch_all(
        state_of(request).pool,
        "heart_rate_minutes",
        tenant_id=DEFAULT_TENANT,
        user_id=question.user_id,
        start=question.start,
        end=question.end,
        device_id=question.device_id,
    )
    if not rows:
        raise Problem(404, "No heart rate of that user lies in the range.")
    data = [
        {
            "timestamp": format_timestamp(row["bucket"]),
            "heart_rate": row["heart_rate"],
            "device_id": row["device_id"],
        }
        for row in rows
    ]
    return json_response({"user_id": question.user_id, "data": data, "count": len(data)})


async def latest(request: Request) -> Response:
    """Answer with each metric's latest value."""
    user_id = request.path_params["user_id"]
    rows = await fetch_all(state_of(request).pool, "latest", tenant_id=DEFAULT_TENANT, user_id=user_id)
    if not rows:
        raise Problem(404, "No reading of that user is known.")
    return json_response({"user_id": user_id, **latest_document(rows)})


async def users(request: Request) -> Response:
    """Answer with a page of users, by name, and when each was last seen."""
    question = ask(request, UsersAfter)
    (after,) = [None] if question.cursor is None else read_cursor(question.cursor, 1)
    rows = await fetch_all(
        state_of(request).pool, "users_after", tenant_id=DEFAULT_TENANT, after=after, limit=question.limit + 1
    )
    shown = rows[: question.limit]
    return json_response(
        {
            "users": [
                {"user_id": row["user_id"], "last_seen": row["last_seen"] and format_timestamp(row["last_seen"])}
                for row in shown
            ],
            "next_cursor": write_cursor(shown[-1]["user_id"]) if len(rows) > len(shown) else None,
        }
    )


async def user_readings(request: Request) -> Response:
    """Answer with raw readings: a page as JSON, or all of the range streamed as CSV or NDJSON."""
    question = ask(request, ReadingsAfter)
    start, end = question.range
    asked = {
        "tenant_id": DEFAULT_TENANT,
        "user_id": request.path_params["user_id"],
        "device_id": question.device_id,
        "start": start,
        "end": end,
    }
    after = after_moment(question.cursor, 2)
    media_type = choose(request.headers.get("accept", ""), [JSON, *STREAMS])
    if media_type == JSON:
        return await readings_page(request, question, asked, after)
    state = state_of(request)
    query_name, suffix, header = STREAMS[media_type]
    return CopyStream(
        state.pool,
        state.streams,
        query_name,
        asked,
        media_type=media_type,
        header=header,
        nothing=Problem(404, NOTHING),
        headers={"Vary": "Accept", "Content-Disposition": f'attachment; filename="readings.{suffix}"'},
    )


async def readings_page(request: Request, question: ReadingsAfter, asked: dict[str, Any], after: list[Any]) -> Response:
    """Answer with the readings after a cursor."""
    after_ts, after_device_id = after
    rows = await fetch_all(
        state_of(request).pool,
        "readings_after",
        **asked,
        after_ts=after_ts,
        after_device_id=after_device_id,
        limit=question.limit + 1,
    )
    if not rows and after_ts is None:
        raise Problem(404, NOTHING)
    shown = rows[: question.limit]
    readings = [
        {
            "timestamp": format_timestamp(row["ts"]),
            "device_id": row["device_id"],
            "heart_rate": row["heart_rate"],
            "steps": row["steps"],
            "calories": row["calories"],
        }
        for row in shown
    ]
    more = len(rows) > len(shown)
    next_cursor = write_cursor(readings[-1]["timestamp"], readings[-1]["device_id"]) if more else None
    document = {"user_id": asked["user_id"], "readings": readings, "next_cursor": next_cursor}
    response = json_response(document)
    response.headers["Vary"] = "Accept"
    return response


async def erase(request: Request) -> Response:
    """Erase a user everywhere and answer with a receipt, once it is committed."""
    state = state_of(request)
    user_id = request.path_params["user_id"]
    # One at a time, as in the database: those that wait need no connection.
    async with state.erasing:
        rows = await erase_user(state.pool, DEFAULT_TENANT, user_id)
    erased = {row["place"]: row["erased"] for row in rows}
    receipt = {name: erased.pop(name) for name in ("readings", "stale_days", "names")}
    return json_response({"user_id": user_id, **receipt, "rollups": erased})


HEART_RATE_OPERATION = Operation(
    "GET",
    "/metrics/heart-rate",
    heart_rate_minutes,
    "Earlier services",
    "Heart rate by the minute",
    {
        200: Answer(
            "One-minute averages of the best device that reported in each minute, ascending.",
            answers.HeartRateData,
            {
                "user_id": "user_123",
                "data": [{"timestamp": "2024-01-15T10:00:00Z", "heart_rate": 75.0, "device_id": "device_a"}],
                "count": 1,
            },
        )
    },
    questions=[HeartRateMinutes],
    refuses=(400, 404, 503),
)

OPERATIONS = [
    Operation(
        "GET",
        "/v1/users/{user_id:name}/summary",
        summary,
        "Answers",
        "Exact aggregates of a range",
        {
            200: Answer(
                "The figures, and the resolutions they were composed from.",
                answers.SummaryDocument,
                {
                    "user_id": "user_123",
                    "start": "2025-01-15T00:00:00Z",
                    "end": "2025-01-16T00:00:00Z",
                    "heart_rate": {"count": 1, "avg": 75.0, "min": 75.0, "max": 75.0},
                    "steps": None,
                    "calories": None,
                    "first": "2025-01-15T10:00:00Z",
                    "last": "2025-01-15T10:00:00Z",
                    "sources": ["raw"],
                },
            )
        },
        description="start <= t < end. Of several devices that report a metric in one minute, the best one counts.",
        questions=[Summary],
        refuses=(404, 422, 503),
    ),
    Operation(
        "GET",
        "/v1/users/{user_id:name}/series",
        series,
        "Answers",
        "A range by bucket",
        {
            200: Answer(
                "The buckets that hold a reading, ascending.",
                answers.SeriesDocument,
                {
                    "user_id": "user_123",
                    "bucket": "15m",
                    "tz": "UTC",
                    "points": [
                        {
                            "t": "2025-01-15T10:00:00Z",
                            "heart_rate": {"count": 1, "avg": 75.0, "min": 75.0, "max": 75.0, "device_id": "watch"},
                            "steps": None,
                            "calories": None,
                        }
                    ],
                    "sources": ["15m"],
                },
            )
        },
        description="start <= t < end. With bucket=raw a point is a reading, of every device. A range without "
        "readings has no points.",
        questions=[Series],
        refuses=(404, 422, 503),
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
                answers.LatestDocument,
                {
                    "user_id": "user_123",
                    "last_seen": "2025-01-15T10:00:00Z",
                    "heart_rate": {"value": 75.0, "timestamp": "2025-01-15T10:00:00Z", "device_id": "watch"},
                    "steps": None,
                    "calories": None,
                },
            )
        },
        refuses=(404, 503),
    ),
    Operation(
        "GET",
        "/v1/users",
        users,
        "Users",
        "Users, and when each was last seen",
        {
            200: Answer(
                "Users by name, and the cursor of what follows.",
                answers.UsersAfterDocument,
                {"users": [{"user_id": "user_123", "last_seen": "2025-01-15T10:00:00Z"}], "next_cursor": None},
            )
        },
        questions=[UsersAfter],
    ),
    Operation(
        "GET",
        "/v1/users/{user_id:name}/readings",
        user_readings,
        "Answers",
        "Readings of a range, as they were sent",
        {
            200: Answer(
                "Readings by timestamp and device_id, and the cursor of what follows; or all of them, streamed.",
                answers.ReadingsAfterDocument,
                {
                    "user_id": "user_123",
                    "readings": [
                        {
                            "timestamp": "2025-01-15T10:00:00Z",
                            "device_id": "watch",
                            "heart_rate": 75.0,
                            "steps": None,
                            "calories": None,
                        }
                    ],
                    "next_cursor": None,
                },
                also={
                    "text/csv": "user_id,device_id,timestamp,heart_rate,steps,calories\n"
                    "user_123,watch,2025-01-15T10:00:00Z,75,,\n",
                    "application/x-ndjson": '{"user_id":"user_123","device_id":"watch",'
                    '"timestamp":"2025-01-15T10:00:00Z","heart_rate":75,"steps":null,"calories":null}\n',
                },
            )
        },
        description="start <= t < end, of every device. `Accept: text/csv` or `application/x-ndjson` streams the whole "
        "range, whatever limit and cursor say, with the fields that POST /v1/readings takes.",
        questions=[ReadingsAfter],
        refuses=(404, 406, 422, 503),
    ),
    Operation(
        "DELETE",
        "/v1/users/{user_id:name}",
        erase,
        "Users",
        "Erase a user everywhere",
        {
            200: Answer(
                "A receipt: how many rows were erased in each place; zeros where nobody of that name is known.",
                answers.ErasureReceipt,
                {
                    "user_id": "user_123",
                    "readings": 1440,
                    "stale_days": 1,
                    "names": 1,
                    "rollups": {"device_1m": 1440, "user_1m": 1440, "user_15m": 96, "user_1h": 24, "user_1d": 1},
                },
            )
        },
        description="Readings, compressed ones too, every rollup of them, and the name, in one transaction; it waits "
        "for a refresh that is under way. Devices and events stay. Erasing again erases nothing. What is written for "
        "that user afterwards starts anew.",
        refuses=(403, 404, 503),
    ),
    HEART_RATE_OPERATION,
]
