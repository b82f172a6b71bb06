"""Devices: their names and priorities."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from service import answers
from service.answers import json_response
from service.bodies import read_json
from service.database import fetch_all
from service.devices import DEVICE_CHANGE, DeviceChange
from service.items import require_one
from service.operations import WRITE_REFUSALS, Answer, Body, Operation
from service.problems import Problem
from service.readings import DEFAULT_TENANT
from service.state import state_of


async def device(request: Request) -> Response:
    """Answer with a device's name and priority."""
    rows = await fetch_all(
        state_of(request).pool, "device", tenant_id=DEFAULT_TENANT, device_id=request.path_params["device_id"]
    )
    if not rows:
        raise Problem(404, "No device of that name is known.")
    return json_response(rows[0])


async def set_device(request: Request) -> Response:
    """Change a device; a new priority holds for all the past once this is answered."""
    state = state_of(request)
    change = require_one(DEVICE_CHANGE, await read_json(request), await state.accepted.now())
    await fetch_all(
        state.pool,
        "set_device",
        tenant_id=DEFAULT_TENANT,
        device_id=request.path_params["device_id"],
        name=change.get("name"),
        priority=change.get("priority"),
    )
    return await device(request)


DEVICE_EXAMPLE = {"device_id": "watch", "name": "Ada's watch", "priority": 3}

OPERATIONS = [
    Operation(
        "GET",
        "/v1/devices/{device_id:name}",
        device,
        "Devices",
        "A device's name and priority",
        {200: Answer("The device.", answers.DeviceDocument, DEVICE_EXAMPLE)},
        refuses=(404, 503),
    ),
    Operation(
        "PUT",
        "/v1/devices/{device_id:name}",
        set_device,
        "Devices",
        "Name a device and set its priority",
        {200: Answer("The device as it is now.", answers.DeviceDocument, DEVICE_EXAMPLE)},
        description="A new priority holds for all the past, at every resolution, when this is answered. "
        "An unknown device is registered.",
        body=Body(DeviceChange, {"name": "Ada's watch", "priority": 3}),
        refuses=(*WRITE_REFUSALS, 404),
    ),
]
