"""A range of a user by bucket: every metric, and the minutes of heart rate of an earlier service."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from psycopg.rows import DictRow
from starlette.requests import Request
from starlette.responses import Response

from service.answers.json_lists import Listed, fetch_grouped_list, fetch_list, list_response
from service.answers.metrics_asked import MetricsAsked, heart_rate_of, readings_figures, sample_figures
from service.answers.parameters import HeartRateMinutes, Series, parse_query
from service.answers.schemas.series import HeartRateData, SeriesDocument
from service.database.pool import Source, fetch_one
from service.errors import Invalid, Malformed, NotFound
from service.http.tenancy import tenant_of
from service.model.timestamps import format_timestamp
from service.routes.operation import Answer, Operation
from service.routes.read_your_writes import reads_of
from service.routes.summaries import together
from service.state import state_of

MOST_POINTS = 100_000


async def series(request: Request) -> Response:
    """Answer with a range by bucket."""
    query = parse_query(request, Series)
    user_id = request.path_params["user_id"]
    start, end = query.range
    state = state_of(request)
    source = reads_of(request, user_id)
    asked = {"start": start, "end": end, "max_points": query.max_points}
    bucket = query.bucket
    if bucket == "auto":
        bucket = (await fetch_one(source, "auto_bucket", **asked))["bucket"]
    asked |= {
        "tenant_id": tenant_of(request),
        "user_id": user_id,
        "bucket": bucket,
        "tz": query.tz,
        "device_id": query.device_id,
        "fill": query.fill == "null",
        "limit": MOST_POINTS + 1,
    }
    if query.metrics is None:
        points = await fetch_list(source, "series", point, **asked)
    else:
        points = await points_with_metrics(source, query.metrics, asked)
    if points.length > MOST_POINTS:
        raise Invalid(f"The answer has more than {MOST_POINTS} points; ask for a shorter range or a coarser bucket.")
    about = {"user_id": user_id, "bucket": bucket, "tz": query.tz}
    return list_response(state.answer_memory, about, "points", points.pieces, {"sources": sources_of(points.first)})


async def points_with_metrics(source: Source, metrics: MetricsAsked, asked: dict[str, Any]) -> Listed:
    """Fetch the points of readings and of the metrics asked for, of which there may be as many values as points."""

    def item(rows: list[DictRow]) -> dict[str, Any]:
        return {**point(rows[0]), "metrics": metrics_of(metrics, rows, asked["bucket"] == "raw")}

    if metrics.others == []:
        return await fetch_list(source, "series", lambda row: item([row]), **asked)
    points = await fetch_grouped_list(
        source, "series_with_metrics", lambda row: (row["t"], row["whose"]), item, **asked, metrics=metrics.others
    )
    if points.first and max(points.first["readings_found"], points.first["others_found"]) > MOST_POINTS:
        raise Invalid(
            f"The answer has more than {MOST_POINTS} points, or values of metrics; "
            "ask for a shorter range, a coarser bucket or fewer metrics."
        )
    return points


def metrics_of(asked: MetricsAsked, rows: Sequence[DictRow], is_raw: bool) -> dict[str, Any]:
    """Return the figures of the metrics asked for that have a value in a bucket, each with its only device."""
    found = {}
    for name in asked.of_readings:
        if figures := readings_figures(rows[0], name):
            # Of steps and calories in a bucket, rollups do not know it.
            is_known = is_raw or name == "heart_rate"
            found[name] = {**figures, "device_id": rows[0]["heart_rate_device"] if is_known else None}
    for row in rows:
        if figures := sample_figures(row):
            found[row["metric"]] = {**figures, "device_id": row["sole_device"]}
    return found


def sources_of(row: DictRow | None) -> list[str]:
    """Return the resolutions that answered, which stand in each row."""
    if row is None:
        return []
    sources = row["sources"] or []
    return together(sources, row["other_sources"]) if row.get("others_found") else sources


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


async def heart_rate_minutes(request: Request) -> Response:
    """Answer with one-minute averages; invalid input is 400 here."""
    try:
        query = parse_query(request, HeartRateMinutes)
    except Invalid as invalid:
        raise Malformed(invalid.detail, invalid.faults) from None
    state = state_of(request)
    minutes = await fetch_list(
        reads_of(request, query.user_id),
        "heart_rate_minutes",
        minute,
        tenant_id=tenant_of(request),
        user_id=query.user_id,
        start=query.start,
        end=query.end,
        device_id=query.device_id,
    )
    if not minutes.length:
        raise NotFound("No heart rate of that user lies in the range.")
    about = {"user_id": query.user_id}
    return list_response(state.answer_memory, about, "data", minutes.pieces, {"count": minutes.length})


def minute(row: dict[str, Any]) -> dict[str, Any]:
    """Write the average of one minute."""
    return {
        "timestamp": format_timestamp(row["bucket"]),
        "heart_rate": row["heart_rate"],
        "device_id": row["device_id"],
    }


OPERATIONS = [
    Operation(
        "GET",
        "/v1/users/{user_id:name}/series",
        series,
        "Answers",
        "A range by bucket",
        {
            200: Answer(
                "The buckets that hold a reading, ascending.",
                SeriesDocument,
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
        access="read",
        description="start <= t < end. With bucket=raw a point is a reading, of every device. A range without "
        "readings has no points. `metrics` adds to each point the figures of those metrics that have a value in it, "
        "and points of these metrics alone.",
        queries=[Series],
        refuses=(404, 422, 503),
    ),
    Operation(
        "GET",
        "/metrics/heart-rate",
        heart_rate_minutes,
        "Earlier services",
        "Heart rate by the minute",
        {
            200: Answer(
                "One-minute averages of the best device that reported in each minute, ascending.",
                HeartRateData,
                {
                    "user_id": "user_123",
                    "data": [{"timestamp": "2024-01-15T10:00:00Z", "heart_rate": 75.0, "device_id": "device_a"}],
                    "count": 1,
                },
            )
        },
        access="read",
        queries=[HeartRateMinutes],
        refuses=(400, 404, 503),
    ),
]
