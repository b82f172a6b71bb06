"""All that is stored on a user, for the person who asks for it."""

from __future__ import annotations

from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from service.answers.export import (
    ExportFormat,
    ExportPart,
    PagedExport,
    after_interval,
    after_ndjson,
    after_sample,
    after_start,
)
from service.auth.allowance import charge_rows
from service.errors import NotFound
from service.http.tenancy import tenant_of
from service.routes.operation import Answer, Operation
from service.routes.read_your_writes import reads_of
from service.state import state_of

NDJSON = "application/x-ndjson"
EXAMPLE = (
    '{"kind": "user", "user_id": "user_123", "tenant_id": "default", "registered_at": "2025-01-15T10:00:01Z"}\n'
    '{"kind": "reading", "steps": 40, "calories": null, "device_id": "watch", "timestamp": "2025-01-15T10:00:00Z", '
    '"heart_rate": 75}\n'
    '{"kind": "sample", "unit": "%", "value": 97, "metric": "spo2", "device_id": "watch", '
    '"timestamp": "2025-01-15T10:00:00Z"}\n'
    '{"end": "2025-01-15T10:10:00Z", "kind": "interval", "unit": "m", "value": 512.5, "metric": "distance", '
    '"device_id": "watch", "timestamp": "2025-01-15T10:00:00Z"}\n'
)
# What retention drops meanwhile is in the parts behind.
FORMAT = ExportFormat(
    [
        ExportPart("user_export_names"),
        ExportPart("user_export_readings", after_ndjson),
        ExportPart("user_export_samples", after_sample),
        ExportPart("user_export_intervals", after_interval),
        ExportPart("user_export_quarters", after_start),
        ExportPart("user_export_sample_quarters", after_start),
        ExportPart("user_export_minutes", after_start),
        ExportPart("user_export_last_values"),
    ],
    NDJSON,
    "user.ndjson",
)


async def export(request: Request) -> Response:
    """Answer with all that is stored on a user, streamed."""
    state = state_of(request)
    asked = {"tenant_id": tenant_of(request), "user_id": request.path_params["user_id"]}
    nothing = NotFound("Nothing is stored on that user.")
    source = reads_of(request, asked["user_id"])
    return PagedExport(source, state.streams, FORMAT, asked, nothing, partial(charge_rows, request.scope))


OPERATIONS = [
    Operation(
        "GET",
        "/v1/users/{user_id:name}/export",
        export,
        "Users",
        "All that is stored on a user",
        {200: Answer("Lines of JSON, distinguished by `kind`.", str, EXAMPLE, NDJSON)},
        access="read",
        description="`user` has the names, `goal` a weekly goal, `reading` what was sent, `sample` a value of another "
        "metric, `interval` what was counted from a timestamp to an end, `worn_window` when a device was worn, "
        "`daily_total` the total of a day. Where retention has dropped readings, `quarter_hour` has what rollups still "
        "know of them and of steps and calories of intervals, `sample_quarter_hour` of samples and other intervals, "
        "`minute` what an earlier release kept, and `last_value` the last value of each metric. All other rollups are "
        "computed from these.",
        refuses=(404, 503),
    )
]
