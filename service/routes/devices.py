"""Devices: their names and priorities, and who wears which."""

from __future__ import annotations

from psycopg.types.json import Jsonb
from starlette.requests import Request
from starlette.responses import Response

from service.answers.parameters import WornDevices, parse_query
from service.answers.schemas.users import DeviceDocument, WornDevicesDocument
from service.auth.principal import key_of
from service.database.pool import fetch_all
from service.errors import NotFound
from service.http.responses import json_response
from service.http.tenancy import tenant_of
from service.ingest import administration
from service.ingest.validation import validate_one
from service.model.device import DEVICE_CHANGE, DeviceChange
from service.model.timestamps import format_timestamp
from service.routes.operation import WRITE_REFUSALS, Answer, Body, Operation
from service.routes.read_your_writes import reads_of
from service.routes.request_body import read_json
from service.state import state_of


async def device(request: Request) -> Response:
    """Answer with a device's name and priorities."""
    rows = await fetch_all(
        reads_of(request), "device", tenant_id=tenant_of(request), device_id=request.path_params["device_id"]
    )
    if not rows:
        raise NotFound("No device of that name is known.")
    return json_response(rows[0])


async def set_device(request: Request) -> Response:
    """Change a device; new priorities hold for all the past once this is answered."""
    state = state_of(request)
    change = validate_one(DEVICE_CHANGE, await read_json(request), await state.timestamp_window.now())
    which = {"tenant_id": tenant_of(request), "device_id": request.path_params["device_id"]}
    metrics = change.get("metrics")
    changes = {
        "name": change.get("name"),
        "priority": change.get("priority"),
        "metrics": None if metrics is None else Jsonb(metrics),
    }
    await administration.set_device(state.pool, key_of(request.scope), {**which, **changes})
    return await device(request)


async def worn_devices(request: Request) -> Response:
    """Answer with the devices that a user wore in a half-open range."""
    start, end = parse_query(request, WornDevices).range
    user_id = request.path_params["user_id"]
    rows = await fetch_all(
        reads_of(request, user_id), "worn_devices", tenant_id=tenant_of(request), user_id=user_id, start=start, end=end
    )
    if not rows:
        raise NotFound("No reading of that user lies in the range.")
    return json_response(
        {"user_id": user_id, "start": format_timestamp(start), "end": format_timestamp(end), "devices": rows}
    )


DEVICE_EXAMPLE = {"device_id": "watch", "name": "Ada's watch", "priority": 3, "metrics": {"steps": 5}}

OPERATIONS = [
    Operation(
        "GET",
        "/v1/devices/{device_id:name}",
        device,
        "Devices",
        "A device's name and priorities",
        {200: Answer("The device.", DeviceDocument, DEVICE_EXAMPLE)},
        access="read",
        refuses=(404, 503),
    ),
    Operation(
        "PUT",
        "/v1/devices/{device_id:name}",
        set_device,
        "Devices",
        "Name a device and set its priorities",
        {200: Answer("The device as it is now.", DeviceDocument, DEVICE_EXAMPLE)},
        access="admin",
        description="New priorities hold for all the past, at every resolution, when this is answered. "
        "Those of single metrics hold in place of the device's. An unknown device is registered.",
        body=Body(DeviceChange, {"name": "Ada's watch", "priority": 3, "metrics": {"steps": 5}}),
        refuses=(*WRITE_REFUSALS, 404),
    ),
    Operation(
        "GET",
        "/v1/users/{user_id:name}/devices",
        worn_devices,
        "Devices",
        "The devices of a user in a range",
        {
            200: Answer(
                "The devices that gave a reading there, the best first.",
                WornDevicesDocument,
                {
                    "user_id": "user_123",
                    "start": "2025-01-15T00:00:00Z",
                    "end": "2025-01-16T00:00:00Z",
                    "devices": [DEVICE_EXAMPLE],
                },
            )
        },
        access="read",
        description="A summary or a series with a `device_id` is of what that device alone reported. Several may "
        "report the same minute, of which only the best counts otherwise, so what each reports need not add up to it.",
        queries=[WornDevices],
        refuses=(404, 422, 503),
    ),
]
