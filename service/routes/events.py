"""Events: written once, read in pages."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from service import answers
from service.answers import json_response
from service.bodies import read_json
from service.cursors import after_moment, cut_page
from service.database import fetch_all, fetch_one
from service.events import EVENT, Event, write_events
from service.items import items_of, judge, require_all, require_list, require_one
from service.operations import LENIENT_WRITE_REFUSALS, WRITE_REFUSALS, Answer, Body, Operation
from service.questions import EventsAfter, EventsPage, ask
from service.state import state_of
from service.times import format_timestamp

MOST_IN_A_BULK = 5000


async def create(request: Request) -> Response:
    """Store one event: 201 when it is new, 200 when its event_id was taken."""
    value = await read_json(request)
    state = state_of(request)
    event = require_one(EVENT, value, await state.accepted.now())
    (created,) = await write_events(state.pool, [event])
    status = "created" if created else "duplicate"
    return json_response({"status": status, "event_id": event["event_id"]}, 201 if created else 200)


async def create_bulk(request: Request) -> Response:
    """Store up to 5000 events, all or none."""
    items = require_list(await read_json(request), "events", MOST_IN_A_BULK)
    state = state_of(request)
    events = await require_all(EVENT, items, await state.accepted.now(), "events")
    created = sum(await write_events(state.pool, events))
    return json_response(
        {"status": "ok", "received": len(events), "created": created, "duplicates": len(events) - created}
    )


async def create_v1(request: Request) -> Response:
    """Store events, each judged alone, and answer with a receipt."""
    items, prefix = items_of(await read_json(request), "events")
    state = state_of(request)
    valid, tally = await judge(EVENT, items, await state.accepted.now(), prefix)
    created = await write_events(state.pool, valid)
    receipt = {
        "received": len(items),
        "created": sum(created),
        "duplicates": len(created) - sum(created),
        "rejected": tally.rejected,
        "events": [
            {"event_id": event["event_id"], "status": "created" if new else "duplicate"}
            for event, new in zip(valid, created, strict=True)
        ],
        "errors": tally.faults,
    }
    return json_response(receipt, 200 if valid else 422)


async def page(request: Request) -> Response:
    """Answer with one numbered page of a tenant's events."""
    question = ask(request, EventsPage)
    matching = question.model_dump(include={"tenant_id", "source", "event_type", "start", "end"})
    pool = state_of(request).pool
    offset = (question.page - 1) * question.page_size
    rows = await fetch_all(pool, "events_page", **matching, limit=question.page_size, offset=offset)
    total = (await fetch_one(pool, "events_total", **matching))["total"]
    return json_response(
        {
            "events": [event_document(row) for row in rows],
            "page": question.page,
            "page_size": question.page_size,
            "total": total,
        }
    )


async def after(request: Request) -> Response:
    """Answer with the events after a cursor."""
    question = ask(request, EventsAfter)
    start, end = question.range
    after_ts, after_event_id = after_moment(question.cursor, 2)
    rows = await fetch_all(
        state_of(request).pool,
        "events_after",
        tenant_id=question.tenant_id,
        source=question.source,
        event_type=question.event_type,
        start=start,
        end=end,
        after_ts=after_ts,
        after_event_id=after_event_id,
        limit=question.limit + 1,
    )
    shown, next_cursor = cut_page(rows, question.limit, "ts", "event_id")
    return json_response({"events": [event_document(row) for row in shown], "next_cursor": next_cursor})


def event_document(row: dict[str, Any]) -> dict[str, Any]:
    """Write a row of api.events as it was sent."""
    document = {name: row[name] for name in ("event_id", "tenant_id", "source", "event_type")}
    return {**document, "timestamp": format_timestamp(row["ts"]), "payload": row["payload"]}


EVENT_EXAMPLE = {
    "event_id": "evt_001",
    "tenant_id": "tenant_1",
    "source": "web",
    "event_type": "click",
    "timestamp": "2025-01-15T10:00:00Z",
    "payload": {"page": "home"},
}
PAGE_EXAMPLE = {"events": [EVENT_EXAMPLE], "page": 1, "page_size": 100, "total": 1}
CREATED = {"status": "created", "event_id": "evt_001"}

OPERATIONS = [
    Operation(
        "POST",
        "/v1/events",
        create_v1,
        "Events",
        "Store events, each judged alone",
        {
            200: Answer(
                "A receipt: what became of each event.",
                answers.EventReceipt,
                {"received": 1, "created": 1, "duplicates": 0, "rejected": 0, "events": [CREATED], "errors": []},
            ),
            422: Answer(
                "All events were rejected: the receipt says why.", answers.EventReceipt | answers.ProblemDocument
            ),
        },
        body=Body(Event | list[Event] | answers.EventsEnvelope, EVENT_EXAMPLE),
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
                answers.EventsAfterDocument,
                {"events": [EVENT_EXAMPLE], "next_cursor": None},
            )
        },
        questions=[EventsAfter],
    ),
    Operation(
        "POST",
        "/events",
        create,
        "Earlier services",
        "Store one event",
        {
            201: Answer("It is new.", answers.EventStatus, CREATED),
            200: Answer(
                "Its event_id was taken; the first one stays.", answers.EventStatus, {**CREATED, "status": "duplicate"}
            ),
        },
        body=Body(Event, EVENT_EXAMPLE),
        refuses=WRITE_REFUSALS,
    ),
    Operation(
        "POST",
        "/events/bulk",
        create_bulk,
        "Earlier services",
        "Store up to 5000 events, all or none",
        {200: Answer("Stored.", answers.BulkStatus, {"status": "ok", "received": 1, "created": 1, "duplicates": 0})},
        body=Body(answers.EventsEnvelope, {"events": [EVENT_EXAMPLE]}),
        refuses=WRITE_REFUSALS,
    ),
    Operation(
        "GET",
        "/events",
        page,
        "Earlier services",
        "A tenant's events, page by page",
        {200: Answer("One page, by timestamp and event_id.", answers.EventsPageDocument, PAGE_EXAMPLE)},
        questions=[EventsPage],
    ),
]
