"""The registry of metrics: the built-in ones, and those that tenants declare."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from service.answers.schemas.metrics import MetricDocument, MetricsDocument
from service.auth.principal import key_of
from service.database.pool import fetch_all, fetch_one
from service.http.responses import json_response
from service.http.tenancy import tenant_of
from service.ingest import administration
from service.ingest.validation import validate_one
from service.model.metric import FIELDS, METRIC_DECLARATION, MetricDeclaration
from service.routes.operation import WRITE_REFUSALS, Answer, Body, Operation
from service.routes.read_your_writes import reads_of
from service.routes.request_body import read_json
from service.state import state_of


async def metric_registry(request: Request) -> Response:
    """Answer with the metrics that the tenant has."""
    rows = await fetch_all(reads_of(request), "metrics", tenant_id=tenant_of(request), name=None)
    return json_response({"metrics": rows})


async def set_metric(request: Request) -> Response:
    """Declare a metric of the tenant's own, or change it, and answer with it."""
    state = state_of(request)
    declared = validate_one(METRIC_DECLARATION, await read_json(request), await state.timestamp_window.now())
    which = {"tenant_id": tenant_of(request), "name": request.path_params["name"]}
    await administration.set_metric(state.pool, key_of(request.scope), {**which, **dict.fromkeys(FIELDS), **declared})
    state.registries.of(which["tenant_id"]).drop()
    return json_response(await fetch_one(state.pool, "metrics", **which))


HEART_RATE: dict[str, Any] = {
    "name": "heart_rate",
    "title": "Heart rate",
    "topic": "heart",
    "kind": "gauge",
    "unit": "/min",
    "lowest": 30.0,
    "highest": 220.0,
    "most_per_second": None,
    "is_whole": False,
    "other_units": [],
    "loinc": "8867-4",
    "healthkit": "HeartRate",
    "health_connect": "HeartRate",
    "open_mhealth": "heart-rate",
    "built_in": True,
}
DECLARATION = {"unit": "mmol/L", "kind": "gauge", "lowest": 0, "highest": 30, "title": "Lactate", "topic": "blood"}
LACTATE: dict[str, Any] = {
    **HEART_RATE,
    **DECLARATION,
    "name": "lactate",
    "loinc": None,
    "healthkit": None,
    "health_connect": None,
    "open_mhealth": None,
    "built_in": False,
}

OPERATIONS = [
    Operation(
        "GET",
        "/v1/metrics",
        metric_registry,
        "Metrics",
        "The registry of metrics",
        {
            200: Answer(
                "The built-in metrics, then those of the tenant's own.",
                MetricsDocument,
                {"metrics": [HEART_RATE, LACTATE]},
            )
        },
        access="read",
        description="Each is a field of readings.",
        refuses=(503,),
    ),
    Operation(
        "PUT",
        "/v1/metrics/{name:name}",
        set_metric,
        "Metrics",
        "Declare a metric of the tenant's own",
        {200: Answer("The metric as it is now.", MetricDocument, LACTATE)},
        access="admin",
        description="A metric that is declared already is changed to what is sent: its title, topic and LOINC code to "
        "anything, its bounds to wider ones, its unit and kind never. The names of built-in metrics are taken.",
        body=Body(MetricDeclaration, DECLARATION),
        refuses=(*WRITE_REFUSALS, 404),
    ),
]
