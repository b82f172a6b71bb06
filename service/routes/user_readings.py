"""Readings of a user as they were sent: in pages, or all of a range as one stream; and deleting those of a range."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from service.answers.cursors import after_moment, cut_page
from service.answers.export import ExportFormat, ExportPart, PagedExport, after_csv, after_ndjson
from service.answers.parameters import ReadingsAfter, ReadingsToDelete, parse_query
from service.answers.schemas.readings import DeletionReceipt, ReadingsAfterDocument
from service.auth.allowance import charge_rows
from service.auth.principal import key_of
from service.database.pool import fetch_all, fetch_one
from service.errors import NotFound
from service.http.negotiation import choose
from service.http.responses import json_response
from service.http.tenancy import tenant_of
from service.ingest.administration import delete_readings
from service.model.timestamps import format_timestamp
from service.routes.operation import Answer, Operation
from service.routes.summaries import NOTHING
from service.state import state_of

JSON = "application/json"
CSV = "text/csv"
STREAMS = {
    one.media_type: one
    for one in (
        ExportFormat(
            [ExportPart("readings_csv", after_csv)],
            CSV,
            "readings.csv",
            b"user_id,device_id,timestamp,heart_rate,steps,calories\n",
        ),
        ExportFormat([ExportPart("readings_ndjson", after_ndjson)], "application/x-ndjson", "readings.ndjson"),
    )
}


async def user_readings(request: Request) -> Response:
    """Answer with raw readings: a page as JSON, or all of the range streamed as CSV or NDJSON."""
    query = parse_query(request, ReadingsAfter)
    start, end = query.range
    asked = {
        "tenant_id": tenant_of(request),
        "user_id": request.path_params["user_id"],
        "device_id": query.device_id,
        "start": start,
        "end": end,
    }
    if query.metrics is not None:
        asked["metrics"] = query.metrics.names and list(query.metrics.names)
    after = after_moment(query.cursor, 2)
    media_type = choose(request.headers.get("accept", ""), [JSON, *STREAMS])
    if media_type == JSON:
        return await readings_page(request, query, asked, after)
    state = state_of(request)
    stream = STREAMS[media_type]
    if query.metrics is not None:
        columns = query.metrics.others
        if columns is None and media_type == CSV:
            who = {name: asked[name] for name in ("tenant_id", "user_id")}
            columns = (await fetch_one(state.pool, "other_metrics", **who))["names"]
        stream = with_metrics(stream, columns or [])
    charge = partial(charge_rows, request.scope)
    return PagedExport(state.pool, state.streams, stream, asked, NotFound(NOTHING), charge)


def with_metrics(stream: ExportFormat, columns: Sequence[str]) -> ExportFormat:
    """Return a format of readings with metrics: in CSV a column of each one that has none yet."""
    if stream.media_type != CSV:
        return stream._replace(parts=[ExportPart("measurements_ndjson", after_ndjson)])
    header = ",".join([stream.header.decode().rstrip(), *columns]) + "\n"
    return stream._replace(parts=[ExportPart("measurements_csv", after_csv, columns)], header=header.encode())


async def readings_page(request: Request, query: ReadingsAfter, asked: dict[str, Any], after: list[Any]) -> Response:
    """Answer with the readings after a cursor."""
    after_ts, after_device_id = after
    metrics = query.metrics
    rows = await fetch_all(
        state_of(request).pool,
        "readings_after" if metrics is None else "measurements_after",
        **asked,
        after_ts=after_ts,
        after_device_id=after_device_id,
        limit=query.limit + 1,
    )
    if not rows and after_ts is None:
        raise NotFound(NOTHING)
    shown, next_cursor = cut_page(rows, query.limit, "ts", "device_id")
    readings = [
        {
            "timestamp": format_timestamp(row["ts"]),
            "device_id": row["device_id"],
            "heart_rate": row["heart_rate"],
            "steps": row["steps"],
            "calories": row["calories"],
            **({} if metrics is None else {"metrics": {name: number(row, name) for name in row["metrics"]}}),
        }
        for row in shown
    ]
    document = {"user_id": asked["user_id"], "readings": readings, "next_cursor": next_cursor}
    response = json_response(document)
    response.headers["Vary"] = "Accept"
    return response


def number(row: dict[str, Any], name: str) -> float:
    """Return a value as the fields of readings are written, of which only steps are whole."""
    value: float = row["metrics"][name]
    return value if name == "steps" else float(value)


async def delete_user_readings(request: Request) -> Response:
    """Delete the readings, samples and intervals of a range and answer with a receipt, once it is committed."""
    query = parse_query(request, ReadingsToDelete)
    state = state_of(request)
    asked = {
        "user_id": request.path_params["user_id"],
        "device_id": query.device_id,
        "start": query.start,
        "end": query.end,
    }
    # One at a time, as users are erased: those that wait need no connection.
    async with state.erasing:
        row = await delete_readings(state.pool, key_of(request.scope), {"tenant_id": tenant_of(request), **asked})
    return json_response(
        {
            **asked,
            "start": format_timestamp(query.start),
            "end": format_timestamp(query.end),
            "deleted": row["deleted"],
            "samples": row["samples"],
            "intervals": row["intervals"],
            "first": row["first_ts"] and format_timestamp(row["first_ts"]),
            "last": row["last_ts"] and format_timestamp(row["last_ts"]),
        }
    )


OPERATIONS = [
    Operation(
        "GET",
        "/v1/users/{user_id:name}/readings",
        user_readings,
        "Answers",
        "Readings of a range, as they were sent",
        {
            200: Answer(
                "Readings by timestamp and device_id, and the cursor of what follows; or all of them, streamed.",
                ReadingsAfterDocument,
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
        access="read",
        description="start <= t < end, of every device. `Accept: text/csv` or `application/x-ndjson` streams the whole "
        "range, whatever limit and cursor say, with the fields that POST /v1/readings takes. `metrics` adds the values "
        "of those metrics to the readings of the same moments and devices, and items of these metrics alone; in CSV a "
        "column of each.",
        queries=[ReadingsAfter],
        refuses=(404, 406, 422, 503),
    ),
    Operation(
        "DELETE",
        "/v1/users/{user_id:name}/readings",
        delete_user_readings,
        "Users",
        "Delete readings of a range",
        {
            200: Answer(
                "A receipt: how many readings were deleted, and the first and the last of them; null where none were.",
                DeletionReceipt,
                {
                    "user_id": "user_123",
                    "device_id": None,
                    "start": "2025-01-15T10:00:00Z",
                    "end": "2025-01-15T11:00:00Z",
                    "deleted": 60,
                    "samples": 0,
                    "intervals": 0,
                    "first": "2025-01-15T10:00:00Z",
                    "last": "2025-01-15T10:59:00Z",
                },
            )
        },
        access="admin",
        description="start <= t < end, both required, of every device or of one. No answer knows of them once it is "
        "given, at any resolution. Deleting again deletes nothing. The user and the devices stay. Readings that "
        "retention has dropped are kept as rollups only, which cannot be deleted in part: such a range is refused.",
        queries=[ReadingsToDelete],
        refuses=(403, 404, 422, 503),
    ),
]
