"""Writing readings: `POST /v1/readings`, and the earlier services' ways to do the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from service.answers import schemas
from service.answers.parameters import Writing, ask, flag
from service.answers.schemas import json_response
from service.errors import Invalid, Problem
from service.ingest.chunker import PART, Pieces
from service.ingest.fast_decoder import decode
from service.ingest.pipeline import Form, csv_form, json_form, judge_list, line_form, store_all_or_none, store_in_pieces
from service.ingest.receipt import Tally
from service.ingest.validation import items_of, judge_each, placed, refused_whole, require_item
from service.ingest.writer import Writer
from service.model.reading import (
    HEART_RATE_READING,
    INGEST_ITEM,
    METRICS,
    READING,
    HeartRateReading,
    IngestItem,
    Reading,
    to_row,
)
from service.routes.operation import LENIENT_WRITE_REFUSALS, WRITE_REFUSALS, Answer, Body, Operation
from service.routes.request_body import (
    WHOLE,
    announced_type,
    body_pieces,
    continued,
    hold,
    let_go,
    parse_json,
    read_document,
    read_json,
    read_start,
    refuse_unread,
    require_json,
)
from service.state import State, state_of

MOST_IN_A_BATCH = 1000
FIRST = 64 * 1024  # bytes: what has sent less holds no more than that, however slow it is
STREAM = 2 * 1024 * 1024  # bytes that a stream may hold; all together take at most half of the room
NDJSON = "application/x-ndjson"
CSV = "text/csv"
FORMS: dict[str, Callable[[], Form]] = {"application/json": json_form, NDJSON: line_form, CSV: csv_form}


async def ingest(request: Request) -> Response:
    """Store one reading or an array; one invalid item refuses all."""
    require_json(request)
    refuse_unread(request)
    state = state_of(request)
    pieces = body_pieces(request, state.settings.body_idle_seconds)
    start, whole = await read_start(request, pieces, WHOLE)
    bounds = await state.accepted.now()
    tally = Tally(state.counters)
    if not whole:
        form = json_form(INGEST_ITEM, enveloped=False)
        most = state.settings.max_atomic_readings
        await store_all_or_none(form, continued(start, pieces), bounds, state.writer.write, tally, most)
        return json_response({"message": "Data received", "ingested": tally.received})
    value = parse_json(start)
    if isinstance(value, list):
        if not value:
            raise Invalid("The array is empty; send at least one reading.")
        rows = await judge_each(INGEST_ITEM, placed(value, ""), bounds, tally)
        if tally.rejected:
            raise refused_whole(tally)
    else:
        rows = [to_row(require_item(INGEST_ITEM, value, bounds, state.counters))]
    await state.writer.write(rows)
    return json_response({"message": "Data received", "ingested": len(rows)})


async def heart_rate(request: Request) -> Response:
    """Store one heart rate; invalid input is 400 here."""
    require_json(request)
    refuse_unread(request)
    value = await read_json(request)
    state = state_of(request)
    try:
        item = require_item(HEART_RATE_READING, value, await state.accepted.now(), state.counters)
    except Invalid as invalid:
        raise Problem(400, invalid.detail, invalid.faults) from None
    await state.writer.write([to_row(item)])
    return json_response({"status": "accepted"}, 202)


async def heart_rate_batch(request: Request) -> Response:
    """Store up to 1000 heart rates, each judged alone."""
    require_json(request)
    refuse_unread(request)
    start, rest = await read_document(request)
    state = state_of(request)
    tally = Tally(state.counters)
    try:
        rows = await judge_list(HEART_RATE_READING, start, rest, state.accepted, MOST_IN_A_BATCH, tally)
    except Invalid as invalid:
        raise Problem(400, invalid.detail, invalid.faults) from None
    if not rows:
        raise Problem(400, "All readings are invalid; nothing was stored.", tally.faults)
    await state.writer.write(rows)
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
    atomic = flag(request, "atomic")
    state = state_of(request)
    tally = Tally(state.counters, drops_fields=ask(request, Writing).invalid == "drop-field")
    new_form = FORMS.get(announced_type(request))
    if new_form is None:
        taken = ", ".join(FORMS)
        raise Problem(415, f"The body is announced as {announced_type(request)[:100]!r}; send one of {taken}.")
    refuse_unread(request, WHOLE if new_form is json_form else PART)
    pieces = body_pieces(request, state.settings.body_idle_seconds)
    if new_form is json_form:
        start, whole = await read_start(request, pieces, WHOLE)
        if whole:
            return await store_whole(state, start, atomic, tally)
        pieces = continued(start, pieces)
    else:
        start, whole = await read_start(request, pieces, FIRST)
        if not whole:
            let_go(request)
            hold(request, STREAM, state.room.most // 2)
        pieces = continued(start, pieces)
    return await store_stream(state, new_form(), pieces, atomic, tally)


async def store_whole(state: State, body: bytes, atomic: bool, tally: Tally) -> Response:
    """Store the readings of a document in one transaction."""
    bounds = await state.accepted.now()
    rows = decode(body, bounds)
    if rows is None:
        items, prefix = items_of(parse_json(body), "readings")
        rows = await judge_each(READING, placed(items, prefix), bounds, tally)
    else:
        tally.received = len(rows)
    if atomic and tally.rejected:
        raise refused_whole(tally)
    tally.counts += await state.writer.write(rows)
    return receipt(tally)


async def store_stream(state: State, form: Form, pieces: Pieces, atomic: bool, tally: Tally) -> Response:
    """Store readings as they arrive, or once all have arrived."""
    bounds = await state.accepted.now()
    store = state.writer.write
    if atomic:
        await store_all_or_none(form, pieces, bounds, store, tally, state.settings.max_atomic_readings)
    else:
        await store_in_pieces(form, paced(pieces, state.writer, tally), bounds, store, tally)
    return receipt(tally)


async def paced(pieces: Pieces, writer: Writer, tally: Tally) -> Pieces:
    """Yield pieces of a body; once some are stored, no faster than others find room. Before, it is refused instead."""
    async for piece in pieces:
        if tally.stored:
            await writer.wait_for_room()
        yield piece


def receipt(tally: Tally) -> Response:
    """Say what became of each reading."""
    document: dict[str, Any] = {
        "received": tally.received,
        "inserted": tally.counts["inserted"],
        "updated": tally.counts["updated"],
        "unchanged": tally.counts["unchanged"],
        "rejected": tally.rejected,
        "errors": tally.faults,
    }
    if tally.drops_fields:
        document["dropped"] = {name: tally.dropped[name] for name in sorted(METRICS)}
    return json_response(document, 422 if tally.rejected == tally.received else 200)


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
            200: Answer("A receipt: what became of each reading.", schemas.Receipt, RECEIPT_EXAMPLE),
            422: Answer("All readings were rejected: the receipt says why.", schemas.Receipt | schemas.ProblemDocument),
        },
        description="One reading, an array, an envelope, NDJSON, or CSV with a header. Sending the same again changes "
        "nothing; a second write for the same user, device and timestamp overwrites the fields that it carries and "
        "keeps the others. Lines, and JSON of more than 2 MiB, are stored in pieces as they arrive, so a body may be "
        "of any size; when an upload breaks, what was stored stays, and sending all again is safe.",
        body=Body(
            Reading | list[Reading] | schemas.ReadingsEnvelope,
            READING_EXAMPLE,
            also={NDJSON: NDJSON_EXAMPLE, CSV: CSV_EXAMPLE},
        ),
        questions=[Writing],
        flags={"atomic": "Refuse all readings if one is invalid."},
        refuses=LENIENT_WRITE_REFUSALS,
    ),
    Operation(
        "POST",
        "/ingest",
        ingest,
        "Earlier services",
        "Store readings, all or none",
        {200: Answer("Stored.", schemas.Ingested, {"message": "Data received", "ingested": 1})},
        body=Body(IngestItem | list[IngestItem], INGEST_EXAMPLE),
        refuses=WRITE_REFUSALS,
    ),
    Operation(
        "POST",
        "/metrics/heart-rate",
        heart_rate,
        "Earlier services",
        "Store one heart rate",
        {202: Answer("Stored.", schemas.Accepted, {"status": "accepted"})},
        body=Body(HeartRateReading, HEART_RATE_EXAMPLE),
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
                schemas.BatchAccepted,
                {"status": "accepted", "accepted": 1, "rejected": 0, "total": 1},
            )
        },
        body=Body(schemas.HeartRateBatch, {"readings": [HEART_RATE_EXAMPLE]}),
        refuses=LENIENT_WRITE_REFUSALS,
    ),
]
