"""Writing readings: `POST /v1/readings`, and the earlier services' ways to do the same."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from service.answers.parameters import Writing, flag, parse_query
from service.answers.schemas.problems import ProblemDocument
from service.answers.schemas.readings import (
    Accepted,
    BatchAccepted,
    HeartRateBatch,
    Ingested,
    ReadingsEnvelope,
    Receipt,
)
from service.auth.allowance import charge_by, charge_for
from service.errors import Invalid, Malformed, Unsupported
from service.http.responses import json_response
from service.http.tenancy import tenant_of
from service.ingest.body_formats import BodyFormat, csv_format, json_format, ndjson_format
from service.ingest.chunker import PART
from service.ingest.pipeline import store_all_or_none, store_upload, validate_list
from service.ingest.receipt import Tally, readings_receipt
from service.ingest.validation import all_refused, validate_each, validate_item, with_places
from service.model.limits import MOST_IN_A_BATCH
from service.model.reading import (
    HEART_RATE_READING,
    INGEST_ITEM,
    METRICS,
    HeartRateReading,
    IngestItem,
    Reading,
    to_row,
)
from service.model.strict_json import parse_json
from service.routes.admission import refuse_unread
from service.routes.operation import LENIENT_WRITE_REFUSALS, WRITE_REFUSALS, Answer, Body, Operation
from service.routes.request_body import WHOLE, announced_type, open_upload, read_document, read_json, require_json
from service.state import state_of

JSON = "application/json"
NDJSON = "application/x-ndjson"
CSV = "text/csv"
FORMATS: dict[str, Callable[[], BodyFormat]] = {JSON: json_format, NDJSON: ndjson_format, CSV: csv_format}


async def ingest(request: Request) -> Response:
    """Store one reading or an array; one invalid item refuses all."""
    require_json(request)
    refuse_unread(request)
    state = state_of(request)
    upload = await open_upload(request)
    bounds = await state.timestamp_window.now()
    tally = charge_by(request.scope, Tally(state.counters))
    if upload.rest is not None:
        body_format = json_format(INGEST_ITEM, enveloped=False)
        most = state.settings.max_atomic_readings
        store = partial(state.writer.write, tenant_of(request))
        await store_all_or_none(body_format, upload.pieces(), bounds, store, tally, most)
        return json_response({"message": "Data received", "ingested": tally.received})
    value = parse_json(upload.start)
    if isinstance(value, list):
        if not value:
            raise Invalid("The array is empty; send at least one reading.")
        rows = await validate_each(INGEST_ITEM, with_places(value, ""), bounds, tally)
        if tally.rejected:
            raise all_refused(tally)
    else:
        rows = [to_row(validate_item(INGEST_ITEM, value, bounds, state.counters))]
        tally.received = 1
    await state.writer.write(tenant_of(request), rows)
    return json_response({"message": "Data received", "ingested": len(rows)})


async def heart_rate(request: Request) -> Response:
    """Store one heart rate; invalid input is 400 here."""
    require_json(request)
    refuse_unread(request)
    value = await read_json(request)
    state = state_of(request)
    try:
        item = validate_item(HEART_RATE_READING, value, await state.timestamp_window.now(), state.counters)
    except Invalid as invalid:
        raise Malformed(invalid.detail, invalid.faults) from None
    charge_for(request.scope, 1)
    await state.writer.write(tenant_of(request), [to_row(item)])
    return json_response({"status": "accepted"}, 202)


async def heart_rate_batch(request: Request) -> Response:
    """Store up to 1000 heart rates, each validated alone."""
    require_json(request)
    refuse_unread(request)
    upload = await read_document(request)
    state = state_of(request)
    tally = charge_by(request.scope, Tally(state.counters))
    try:
        rows = await validate_list(HEART_RATE_READING, upload, state.timestamp_window, MOST_IN_A_BATCH, tally)
    except Invalid as invalid:
        raise Malformed(invalid.detail, invalid.faults) from None
    if not rows:
        raise Malformed("All readings are invalid; nothing was stored.", tally.faults)
    await state.writer.write(tenant_of(request), rows)
    document = {
        "status": "accepted",
        "accepted": len(rows),
        "rejected": tally.rejected,
        "total": tally.received,
    }
    if tally.faults:
        document["errors"] = tally.faults
    return json_response(document, 202)


async def readings(request: Request) -> Response:
    """Store readings and answer with a receipt."""
    state = state_of(request)
    atomic = flag(request, "atomic")
    drops_fields = parse_query(request, Writing).invalid == "drop-field"
    tally = charge_by(request.scope, Tally(state.counters, drops_fields=drops_fields))
    media_type = announced_type(request)
    if media_type not in FORMATS:
        raise Unsupported(f"The body is announced as {media_type[:100]!r}; send one of {', '.join(FORMATS)}.")
    is_document = media_type == JSON
    refuse_unread(request, WHOLE if is_document else PART)
    upload = await open_upload(request, is_document)
    most_atomic = state.settings.max_atomic_readings if atomic else None
    bounds = await state.timestamp_window.now(state.registries.of(tenant_of(request)))
    body_format = FORMATS[media_type]()
    await store_upload(upload, body_format, state.writer, tenant_of(request), bounds, tally, most_atomic)
    dropped = {name: tally.dropped[name] for name in sorted(METRICS | tally.dropped.keys())} if drops_fields else None
    body = readings_receipt(tally.received, tally.counts, tally.rejected, tally.faults, dropped)
    return Response(body, 422 if tally.rejected == tally.received else 200, media_type=JSON)


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
NDJSON_EXAMPLE = '{"user_id": "user_123", "timestamp": "2025-01-15T10:00:00Z", "heart_rate": 75}\n'
CSV_EXAMPLE = "user_id,timestamp,heart_rate,steps\nuser_123,2025-01-15T10:00:00Z,75,40\n"
RECEIPT_EXAMPLE = {"received": 1, "inserted": 1, "updated": 0, "unchanged": 0, "rejected": 0, "errors": []}

OPERATIONS = [
    Operation(
        "POST",
        "/v1/readings",
        readings,
        "Readings",
        "Store readings",
        {
            200: Answer("A receipt: what became of each reading.", Receipt, RECEIPT_EXAMPLE),
            422: Answer("All readings were rejected: the receipt says why.", Receipt | ProblemDocument),
        },
        access="ingest",
        description="One reading, an array, an envelope, NDJSON, or CSV with a header. Sending the same again changes "
        "nothing; a second write for the same user, device and timestamp overwrites the fields that it carries and "
        "keeps the others. Lines, and JSON of more than 2 MiB, are stored in pieces as they arrive, so a body may be "
        "of any size; when an upload breaks, what was stored stays, and sending all again is safe. Any metric of "
        "`GET /v1/metrics` is a field: a number in its unit, or a value with a unit that it has. With an `end` a "
        "reading says what was counted from `timestamp` to there.",
        body=Body(
            Reading | list[Reading] | ReadingsEnvelope,
            READING_EXAMPLE,
            also={NDJSON: NDJSON_EXAMPLE, CSV: CSV_EXAMPLE},
        ),
        queries=[Writing],
        flags={"atomic": "Refuse all readings if one is invalid."},
        refuses=LENIENT_WRITE_REFUSALS,
    ),
    Operation(
        "POST",
        "/ingest",
        ingest,
        "Earlier services",
        "Store readings, all or none",
        {200: Answer("Stored.", Ingested, {"message": "Data received", "ingested": 1})},
        access="ingest",
        body=Body(IngestItem | list[IngestItem], INGEST_EXAMPLE),
        refuses=WRITE_REFUSALS,
    ),
    Operation(
        "POST",
        "/metrics/heart-rate",
        heart_rate,
        "Earlier services",
        "Store one heart rate",
        {202: Answer("Stored.", Accepted, {"status": "accepted"})},
        access="ingest",
        body=Body(HeartRateReading, HEART_RATE_EXAMPLE),
        refuses=LENIENT_WRITE_REFUSALS,
    ),
    Operation(
        "POST",
        "/metrics/heart-rate/batch",
        heart_rate_batch,
        "Earlier services",
        "Store up to 1000 heart rates, each validated alone",
        {
            202: Answer(
                "Stored, but for the rejected.",
                BatchAccepted,
                {"status": "accepted", "accepted": 1, "rejected": 0, "total": 1},
            )
        },
        access="ingest",
        body=Body(HeartRateBatch, {"readings": [HEART_RATE_EXAMPLE]}),
        refuses=LENIENT_WRITE_REFUSALS,
    ),
]
