"""Events: written once, read in pages."""

from __future__ import annotations

from collections import Counter

from starlette.requests import Request
from starlette.responses import Response

from service.answers.cursors import after_moment
from service.answers.event_pages import EventList
from service.answers.json_lists import A_PIECE, list_response, streamed_list, written
from service.answers.parameters import EventsAfter, EventsPage, parse_query
from service.answers.schemas.events import (
    BulkStatus,
    EventReceipt,
    EventsAfterDocument,
    EventsEnvelope,
    EventsPageDocument,
    EventStatus,
)
from service.answers.schemas.problems import ProblemDocument
from service.auth.allowance import charge_by, charge_for
from service.database.pool import fetch_one
from service.event_loop import checkpoint
from service.http.responses import json_response
from service.ingest.body_formats import json_format
from service.ingest.event_writer import write_events
from service.ingest.pipeline import store_in_pieces, validate_list
from service.ingest.receipt import Tally
from service.ingest.validation import all_refused, items_of, validate_each, validate_item, with_places
from service.model.event import Event, EventRow, to_event_row
from service.model.limits import MOST_IN_A_BULK
from service.model.strict_json import parse_json
from service.routes.event_tenants import in_tenant, model_for
from service.routes.operation import LENIENT_WRITE_REFUSALS, WRITE_REFUSALS, Answer, Body, Operation
from service.routes.read_your_writes import reads_of
from service.routes.request_body import read_document, read_json
from service.state import state_of

STATUS = {True: "created", False: "duplicate"}


async def create(request: Request) -> Response:
    """Store one event: 201 when it is new, 200 when its event_id was taken."""
    value = await read_json(request)
    state = state_of(request)
    item = validate_item(model_for(request), value, await state.timestamp_window.now(), state.counters)
    (event,) = in_tenant(request, [to_event_row(item)])
    charge_for(request.scope, 1)
    (created,) = await write_events(state.pool, state.counters, [event])
    return json_response({"status": STATUS[created], "event_id": event.event_id}, 201 if created else 200)


async def create_bulk(request: Request) -> Response:
    """Store up to 5000 events, all or none."""
    upload = await read_document(request)
    state = state_of(request)
    tally = charge_by(request.scope, Tally(state.counters, "events"))
    events = await validate_list(model_for(request), upload, state.timestamp_window, MOST_IN_A_BULK, tally)
    if tally.rejected:
        raise all_refused(tally)
    created = sum(await write_events(state.pool, state.counters, in_tenant(request, events)))
    return json_response(
        {"status": "ok", "received": len(events), "created": created, "duplicates": len(events) - created}
    )


async def create_v1(request: Request) -> Response:
    """Store events, each validated alone, and answer with a receipt."""
    upload = await read_document(request)
    state = state_of(request)
    tally = charge_by(request.scope, Tally(state.counters, "events"))
    ledger = Ledger(request)
    model = model_for(request)
    bounds = await state.timestamp_window.now()
    if upload.rest is None:
        items, prefix = items_of(parse_json(upload.start), "events")
        tally.counts += await ledger.store(await validate_each(model, with_places(items, prefix), bounds, tally))
    else:
        await store_in_pieces(json_format(model), upload.pieces(), bounds, ledger.store, tally)
    return await receipt(tally, ledger)


class Ledger:
    """Stores the events of a request, and remembers of each whether it was new."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.state = state_of(request)
        self.event_ids: list[str] = []
        self.created: list[bool] = []

    async def store(self, events: list[EventRow], /, *, patiently: bool = False) -> Counter[str]:
        """Store events in one transaction; patience is the pool's, whose connections are waited for anyway."""
        created = await write_events(self.state.pool, self.state.counters, in_tenant(self.request, events))
        self.event_ids += [event.event_id for event in events]
        self.created += created
        return Counter(created=sum(created), duplicates=len(created) - sum(created))


async def receipt(tally: Tally, ledger: Ledger) -> Response:
    """Say what became of each event."""
    figures = {
        "received": tally.received,
        "created": tally.counts["created"],
        "duplicates": tally.counts["duplicates"],
        "rejected": tally.rejected,
    }
    pieces: list[bytes] = []
    for first in range(0, tally.stored, A_PIECE):
        piece = slice(first, first + A_PIECE)
        stored = zip(ledger.event_ids[piece], ledger.created[piece], strict=True)
        pieces.append(written({"event_id": event_id, "status": STATUS[created]} for event_id, created in stored))
        await checkpoint()
    status = 422 if tally.rejected == tally.received else 200
    # What is stored is said, however much of other answers is held.
    return list_response(None, figures, "events", pieces, {"errors": tally.faults}, status)


async def page(request: Request) -> Response:
    """Answer with one numbered page of a tenant's events."""
    query = parse_query(request, EventsPage)
    matching = query.model_dump(include={"tenant_id", "source", "event_type", "start", "end"})
    source = reads_of(request)
    # First, so that what goes wrong with it can still be said.
    total = (await fetch_one(source, "events_total", **matching))["total"]
    skipped = (query.page - 1) * query.page_size
    events = EventList(
        source, "events_page", query.page_size, **matching, skipped=skipped, after_ts=None, after_event_id=None
    )
    figures = {"page": query.page, "page_size": query.page_size, "total": total}
    return await streamed_list("events", events.pieces(), lambda: figures)


async def after(request: Request) -> Response:
    """Answer with the events after a cursor."""
    query = parse_query(request, EventsAfter)
    start, end = query.range
    after_ts, after_event_id = after_moment(query.cursor, 2)
    events = EventList(
        reads_of(request),
        "events_after",
        query.limit,
        tenant_id=query.tenant_id,
        source=query.source,
        event_type=query.event_type,
        start=start,
        end=end,
        after_ts=after_ts,
        after_event_id=after_event_id,
    )
    return await streamed_list("events", events.pieces(peek=True), lambda: {"next_cursor": events.next_cursor})


EVENT_EXAMPLE = {
    "event_id": "evt_001",
    "tenant_id": "tenant_1",
    "source": "web",
    "event_type": "click",
    "timestamp": "2025-01-15T10:00:00Z",
    "payload": {"page": "home"},
}
PAGE_EXAMPLE = {"events": [EVENT_EXAMPLE], "page": 1, "page_size": 100, "total": 1}
OF_TENANT = "A request with a tenant's key may leave tenant_id out, and may not name another."
CREATED = {"status": "created", "event_id": "evt_001"}

OPERATIONS = [
    Operation(
        "POST",
        "/v1/events",
        create_v1,
        "Events",
        "Store events, each validated alone",
        {
            200: Answer(
                "A receipt: what became of each event.",
                EventReceipt,
                {"received": 1, "created": 1, "duplicates": 0, "rejected": 0, "events": [CREATED], "errors": []},
            ),
            422: Answer("All events were rejected: the receipt says why.", EventReceipt | ProblemDocument),
        },
        access="ingest",
        description="One event, an array or an envelope. An event_id is taken once in its tenant; the first one stays. "
        "JSON of more than 2 MiB is stored in pieces as it arrives; when it breaks, what was stored stays, and sending "
        "all again is safe. " + OF_TENANT,
        body=Body(Event | list[Event] | EventsEnvelope, EVENT_EXAMPLE),
        refuses=LENIENT_WRITE_REFUSALS,
    ),
    Operation(
        "GET",
        "/v1/events",
        after,
        "Events",
        "Events of a range, in order",
        {
            200: Answer(
                "Events by timestamp and event_id, and the cursor of what follows.",
                EventsAfterDocument,
                {"events": [EVENT_EXAMPLE], "next_cursor": None},
            )
        },
        access="read",
        description=OF_TENANT,
        queries=[EventsAfter],
        refuses=(403, 422, 503),
    ),
    Operation(
        "POST",
        "/events",
        create,
        "Earlier services",
        "Store one event",
        {
            201: Answer("It is new.", EventStatus, CREATED),
            200: Answer(
                "Its event_id was taken; the first one stays.", EventStatus, {**CREATED, "status": "duplicate"}
            ),
        },
        access="ingest",
        body=Body(Event, EVENT_EXAMPLE),
        refuses=WRITE_REFUSALS,
    ),
    Operation(
        "POST",
        "/events/bulk",
        create_bulk,
        "Earlier services",
        "Store up to 5000 events, all or none",
        {200: Answer("Stored.", BulkStatus, {"status": "ok", "received": 1, "created": 1, "duplicates": 0})},
        access="ingest",
        body=Body(EventsEnvelope, {"events": [EVENT_EXAMPLE]}),
        refuses=WRITE_REFUSALS,
    ),
    Operation(
        "GET",
        "/events",
        page,
        "Earlier services",
        "A tenant's events, page by page",
        {200: Answer("One page, by timestamp and event_id.", EventsPageDocument, PAGE_EXAMPLE)},
        access="read",
        description="Pages are counted at each request: an event that arrives with an earlier timestamp moves all that "
        "follow by one, so that the last one of a page comes again on the next; `total` is as of the request. For each "
        "event once, follow the cursors of `GET /v1/events`, where nothing moves.",
        queries=[EventsPage],
        refuses=(403, 422, 503),
    ),
]
