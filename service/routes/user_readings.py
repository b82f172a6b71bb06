"""Readings of a user as they were sent: in pages, or all of a range as one stream; and deleting those of a range."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from service.answers.cursors import after_item, after_moment, cut_page, write_cursor
from service.answers.export import (
    ExportFormat,
    ExportPart,
    PagedExport,
    after_csv,
    after_csv_with_ends,
    after_ndjson,
)
from service.answers.export import after_item as after_line
from service.answers.metrics_asked import MetricsAsked
from service.answers.parameters import ReadingsAfter, ReadingsToDelete, parse_query
from service.answers.schemas.readings import DeletionReceipt, ReadingsAfterDocument
from service.auth.allowance import charge_rows
from service.auth.principal import key_of
from service.database.pool import Source, fetch_all, fetch_one
from service.errors import NotFound
from service.event_loop import checkpoint
from service.http.negotiation import choose
from service.http.responses import json_response
from service.http.tenancy import tenant_of
from service.ingest.administration import delete_readings
from service.model.timestamps import format_timestamp
from service.routes.operation import Answer, Operation
from service.routes.read_your_writes import reads_of
from service.routes.summaries import NOTHING
from service.state import state_of

JSON = "application/json"
CSV = "text/csv"
OF_ENDS = ("end", "worn", "daily_total")  # columns of CSV, where a user has anything with an end
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
    if query.metrics is None:
        after = dict(zip(("after_ts", "after_device_id"), after_moment(query.cursor, 2), strict=True))
    else:
        after = after_item(query.cursor)
    media_type = choose(request.headers.get("accept", ""), [JSON, *STREAMS])
    if media_type == JSON:
        return await readings_page(request, query, asked, after)
    state = state_of(request)
    source = reads_of(request, asked["user_id"])
    stream = STREAMS[media_type]
    if query.metrics is not None and media_type == CSV:
        stream = with_columns(stream, await columns_of(source, query.metrics, asked))
    elif query.metrics is not None:
        stream = stream._replace(parts=[ExportPart("measurements_ndjson", after_line)])
    charge = partial(charge_rows, request.scope)
    return PagedExport(source, state.streams, stream, asked, NotFound(NOTHING), charge)


async def columns_of(source: Source, metrics: MetricsAsked, asked: dict[str, Any]) -> list[str]:
    """Return the columns that CSV has behind the usual ones: other metrics, and what intervals have."""
    who = {name: asked[name] for name in ("tenant_id", "user_id")}
    others = metrics.others
    if others is None:
        others = (await fetch_one(source, "other_metrics", **who))["names"]
    has_intervals = (await fetch_one(source, "has_intervals", **who))["found"]
    return [*others, *(OF_ENDS if has_intervals else ())]


def with_columns(stream: ExportFormat, columns: Sequence[str]) -> ExportFormat:
    """Return a format of CSV with further columns."""
    header = ",".join([stream.header.decode().rstrip(), *columns]) + "\n"
    after = after_csv_with_ends if OF_ENDS[0] in columns else after_csv
    return stream._replace(parts=[ExportPart("measurements_csv", after, columns)], header=header.encode())


async def readings_page(
    request: Request, query: ReadingsAfter, asked: dict[str, Any], after: dict[str, Any]
) -> Response:
    """Answer with the readings after a cursor."""
    is_plain = query.metrics is None
    rows = await fetch_all(
        reads_of(request, asked["user_id"]),
        "readings_after" if is_plain else "measurements_after",
        **asked,
        **after,
        limit=query.limit + 1,
    )
    if not rows and query.cursor is None:
        raise NotFound(NOTHING)
    shown, next_cursor = cut_page(rows, query.limit, "ts", "device_id")
    if next_cursor is not None and not is_plain:
        next_cursor = cursor_behind(shown[-1])
    readings = [usual_fields(row) if is_plain else all_fields(row) for row in shown]
    await checkpoint()
    document = {"user_id": asked["user_id"], "readings": readings, "next_cursor": next_cursor}
    response = json_response(document)
    response.headers["Vary"] = "Accept"
    return response


def cursor_behind(row: dict[str, Any]) -> str:
    """Write the cursor of what follows a row that may have an end."""
    end = "" if row["ends_at"] is None else format_timestamp(row["ends_at"])
    return write_cursor(format_timestamp(row["ts"]), row["device_id"], end, "1" if row["daily_total"] else "")


def usual_fields(row: dict[str, Any]) -> dict[str, Any]:
    """Return a reading as the answer has it."""
    return {
        "timestamp": format_timestamp(row["ts"]),
        "device_id": row["device_id"],
        "heart_rate": row["heart_rate"],
        "steps": row["steps"],
        "calories": row["calories"],
    }


def all_fields(row: dict[str, Any]) -> dict[str, Any]:
    """Return a reading with the metrics asked for, and its end where it has one."""
    reading = usual_fields(row) | {"metrics": {name: number(row, name) for name in row["metrics"]}}
    if row["ends_at"] is not None:
        reading["end"] = format_timestamp(row["ends_at"])
        reading |= {name: True for name in ("worn", "daily_total") if row[name]}
    return reading


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
        "column of each. With it there are items of intervals, too, which have an `end`, and worn windows (`worn`).",
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
