"""Importing files that people have: `POST /v1/import/{format}`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.requests import Request
from starlette.responses import Response

from service.answers.parameters import Importing, parse_query
from service.answers.schemas.problems import ProblemDocument
from service.answers.schemas.readings import ImportReceipt
from service.auth.allowance import charge_by
from service.errors import BodyTimeout, Overloaded, Unsupported
from service.http.responses import json_response
from service.http.tenancy import tenant_of
from service.imports.adapter import ImportContext
from service.imports.formats import choose, require_known
from service.ingest.chunker import PART
from service.ingest.file_import import FileImport
from service.ingest.file_items import items_of_file
from service.ingest.receipt import Tally
from service.routes.admission import refuse_unread
from service.routes.operation import WRITE_REFUSALS, Answer, Body, Operation
from service.routes.request_body import unless_left
from service.routes.spooled_body import spooled_body
from service.shares import PARTY, Shares
from service.state import state_of

EXAMPLE = {
    "format": "apple-health",
    "received": 1440,
    "inserted": 1440,
    "updated": 0,
    "unchanged": 0,
    "rejected": 0,
    "errors": [],
    "kinds": [
        {"kind": "HKQuantityTypeIdentifierStepCount", "inserted": 1440, "updated": 0, "unchanged": 0, "rejected": 0}
    ],
    "skipped": [{"kind": "HKCategoryTypeIdentifierMindfulSession", "reason": "has no metric", "count": 3}],
    "damage": None,
}


async def import_file(request: Request) -> Response:
    """Store the readings of a file, and answer with a receipt."""
    state = state_of(request)
    name = require_known(request.path_params["format"])
    asked = parse_query(request, Importing)
    if request.headers.get("content-type", "").lower().startswith("multipart/"):
        raise Unsupported("The body is announced as a form; send the file itself as the body.")
    refuse_unread(request, PART)
    most = state.settings.max_import_bytes
    with admitted(state.imports):
        async with spooled_body(request, most) as source:
            adapter = await asyncio.to_thread(choose, name, source, asked.filename)
            context = ImportContext(asked.tz, asked.device_id, asked.filename, most, asked.precision)
            tally = charge_by(request.scope, Tally(state.counters))
            bounds = await state.timestamp_window.now(state.registries.of(tenant_of(request)))
            importing = FileImport(state.writer, tenant_of(request), asked.user_id, bounds, tally)
            seconds = state.settings.max_stream_seconds
            try:
                async with asyncio.timeout(seconds), items_of_file(adapter, source, context) as parts:
                    await importing.run(unless_left(request, parts))
            except TimeoutError:
                raise BodyTimeout(
                    f"The file was not imported within {seconds} seconds; {tally.stored} readings of it are stored."
                ) from None
    document = importing.report.document(adapter.name, tally)
    return json_response(document, 422 if 0 < tally.received == tally.rejected else 200)


@contextmanager
def admitted(imports: Shares) -> Iterator[None]:
    """Import within; Overloaded where as many files are imported as may be."""
    party = PARTY.get()
    if not imports.fits(party):
        raise Overloaded(f"{imports.held} files are imported already; try again.", retry_after=5)
    imports.take(party)
    try:
        yield
    finally:
        imports.give(party)


OPERATIONS = [
    Operation(
        "POST",
        "/v1/import/{format:name}",
        import_file,
        "Readings",
        "Import a file",
        {
            200: Answer("A receipt: what became of the readings of each kind.", ImportReceipt, EXAMPLE),
            422: Answer("All readings were rejected, or it is no file that is known.", ImportReceipt | ProblemDocument),
        },
        access="ingest",
        description="A file as another system exports it, sent as it is. `format` is its name, or `auto`. What it "
        "holds is stored as it is read; when that breaks, what was stored stays, and sending all again is safe. "
        "Records that no metric stands for are skipped, and counted by kind.",
        body=Body(None, media_type="application/octet-stream"),
        queries=[Importing],
        refuses=(*WRITE_REFUSALS, 404),
    ),
]
