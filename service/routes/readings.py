"""Writing readings: `POST /v1/readings`, and the earlier services' ways to do the same."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from service import answers
from service.answers import json_response
from service.bodies import parse_json, read_body, read_json, require_json
from service.decoding import decode
from service.items import Judged, items_of, judge, require_all, require_list, require_one
from service.operations import LENIENT_WRITE_REFUSALS, WRITE_REFUSALS, Answer, Operation
from service.problems import Invalid, Problem
from service.questions import flag
from service.readings import HEART_RATE_READING, INGEST_ITEM, READING, HeartRateReading, IngestItem, Reading, to_row
from service.state import state_of

MOST_IN_A_BATCH = 1000


async def ingest(request: Request) -> Response:
    """Store one reading or an array; one invalid item refuses all."""
    value = await read_json(request)
    state = state_of(request)
    bounds = await state.accepted.now()
    if isinstance(value, list):
        if not value:
            raise Invalid("The array is empty; send at least one reading.")
        items = require_all(INGEST_ITEM, value, bounds, "")
    else:
        items = [require_one(INGEST_ITEM, value, bounds)]
    await state.writer.write([to_row(item) for item in items])
    return json_response({"message": "Data received", "ingested": len(items)})


async def heart_rate(request: Request) -> Response:
    """Store one heart rate; invalid input is 400 here."""
    value = await read_json(request)
    state = state_of(request)
    try:
        item = require_one(HEART_RATE_READING, value, await state.accepted.now())
    except Invalid as invalid:
        raise Problem(400, invalid.detail, invalid.faults) from None
    await state.writer.write([to_row(item)])
    return json_response({"status": "accepted"}, 202)


async def heart_rate_batch(request: Request) -> Response:
    """Store up to 1000 heart rates, each judged alone."""
    value = await read_json(request)
    state = state_of(request)
    try:
        items = require_list(value, "readings", MOST_IN_A_BATCH)
    except Invalid as invalid:
        raise Problem(400, invalid.detail, invalid.faults) from None
    judged = judge(HEART_RATE_READING, items, await state.accepted.now(), "readings")
    if not judged.items:
        raise Problem(400, "All readings are invalid; nothing was stored.", judged.faults)
    await state.writer.write([to_row(item) for item in judged.items])
    document = {
        "status": "accepted",
        "accepted": len(judged.items),
        "rejected": judged.rejected,
        "total": len(items),
    }
    if judged.faults:
        document["errors"] = judged.faults
    return json_response(document, 202)


async def readings(request: Request) -> Response:
    """Store readings and answer with a receipt."""
    atomic = flag(request, "atomic")
    require_json(request)
    state = state_of(request)
    body = await read_body(request, state.settings.max_body_bytes, state.settings.body_idle_seconds)
    bounds = await state.accepted.now()
    if (rows := decode(body, bounds)) is not None:
        return json_response(receipt(len(rows), await state.writer.write(rows), Judged()))
    items, prefix = items_of(parse_json(body), "readings")
    judged = judge(READING, items, bounds, prefix)
    if atomic and judged.rejected:
        raise Invalid(
            f"{judged.rejected} of {len(items)} readings are invalid; atomic=true, so nothing was stored.",
            judged.faults,
        )
    counts = await state.writer.write([to_row(item) for item in judged.items])
    return json_response(receipt(len(items), counts, judged), 200 if judged.items else 422)


def receipt(received: int, counts: Any, judged: Judged) -> dict[str, Any]:
    """Say what became of each reading."""
    return {
        "received": received,
        "inserted": counts["inserted"],
        "updated": counts["updated"],
        "unchanged": counts["unchanged"],
        "rejected": judged.rejected,
        "errors": judged.faults,
    }


INGEST_EXAMPLE = {
    "user_id": 303,
    "timestamp": "2025-01-15T10:00:00Z",
    "heart_rate": 88,
    "steps": 400,
    "calories": 15.2,
}
HEART_RATE_EXAMPLE = {
    "device_id": "device_a",
    "user_id": "user_123",
    "timestamp": "2024-01-15T10:00:00Z",
    "heart_rate": 75,
}
READING_EXAMPLE = {
    "user_id": "user_123",
    "device_id": "watch",
    "timestamp": "2025-01-15T10:00:00Z",
    "heart_rate": 75,
}
RECEIPT_EXAMPLE = {"received": 1, "inserted": 1, "updated": 0, "unchanged": 0, "rejected": 0, "errors": []}

OPERATIONS = [
    Operation(
        "POST",
        "/v1/readings",
        readings,
        "Readings",
        "Store readings",
        {
            200: Answer("A receipt: what became of each reading.", answers.Receipt, RECEIPT_EXAMPLE),
            422: Answer("All readings were rejected: the receipt says why.", answers.Receipt | answers.ProblemDocument),
        },
        description="One reading, an array, or an envelope. Sending the same again changes nothing; a second write for "
        "the same user, device and timestamp overwrites the fields that it carries and keeps the others.",
        body=Reading | list[Reading] | answers.ReadingsEnvelope,
        body_example=READING_EXAMPLE,
        flags={"atomic": "Refuse all readings if one is invalid."},
        refuses=LENIENT_WRITE_REFUSALS,
    ),
    Operation(
        "POST",
        "/ingest",
        ingest,
        "Earlier services",
        "Store readings, all or none",
        {200: Answer("Stored.", answers.Ingested, {"message": "Data received", "ingested": 1})},
        body=IngestItem | list[IngestItem],
        body_example=INGEST_EXAMPLE,
        refuses=WRITE_REFUSALS,
    ),
    Operation(
        "POST",
        "/metrics/heart-rate",
        heart_rate,
        "Earlier services",
        "Store one heart rate",
        {202: Answer("Stored.", answers.Accepted, {"status": "accepted"})},
        body=HeartRateReading,
        body_example=HEART_RATE_EXAMPLE,
        refuses=LENIENT_WRITE_REFUSALS,
    ),
    Operation(
        "POST",
        "/metrics/heart-rate/batch",
        heart_rate_batch,
        "Earlier services",
        "Store up to 1000 heart rates, each judged alone",
        {
            202: Answer(
                "Stored, but for the rejected.",
                answers.BatchAccepted,
                {"status": "accepted", "accepted": 1, "rejected": 0, "total": 1},
            )
        },
        body=answers.HeartRateBatch,
        body_example={"readings": [HEART_RATE_EXAMPLE]},
        refuses=LENIENT_WRITE_REFUSALS,
    ),
]
