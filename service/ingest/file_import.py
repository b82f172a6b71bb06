"""A file on its way to the database: read by an adapter, validated as readings are, and stored in pieces."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

from service.errors import Fault, Invalid, Problem
from service.event_loop import TimeSlice, checkpoint
from service.imports.adapter import Found, Item, Rejected, Skipped
from service.ingest.fast_decoder import decode_items
from service.ingest.file_items import Some
from service.ingest.file_receipt import FileReport
from service.ingest.outcome import Outcome
from service.ingest.pipeline import store_parts
from service.ingest.receipt import Tally
from service.ingest.validation import validate_each
from service.ingest.writer import Writer
from service.model.fields import Bounds
from service.model.reading import READING, Row
from service.model.validation_errors import brief


class FileImport:
    """The readings of a file, all of one user, on their way; `tally` and `report` say what became of them."""

    def __init__(self, writer: Writer, tenant_id: str, user_id: str, bounds: Bounds, tally: Tally) -> None:
        self.writer = writer
        self.tenant_id = tenant_id
        self.user_id = user_id
        self.bounds = bounds
        self.tally = tally
        self.report = FileReport()
        self.kinds_waiting: deque[str] = deque()
        """The kind of each row that is validated and not stored yet, in their order."""

    async def run(self, parts: AsyncIterator[Some]) -> None:
        """Store what is good, as it comes. A Problem also says how many readings are stored all the same."""
        try:
            await store_parts(self.rows(parts), self.store, self.tally)
        except Problem as problem:
            if self.tally.stored:
                problem.detail += f" {self.tally.stored} readings from before are stored; sending all again is safe."
            raise
        damage = self.report.damage
        if self.report.is_empty:
            faults = [Fault(at=damage.at, problem=damage.problem, value=None)] if damage else []
            raise Invalid("The file cannot be read." if damage else "There are no readings in the file.", faults)

    async def rows(self, parts: AsyncIterator[Some]) -> AsyncIterator[list[Any]]:
        """Yield the rows of each part; once some are stored, no faster than the queue has room."""
        async for some in parts:
            if self.tally.stored:
                await self.writer.wait_for_room()
            if some.damage is not None:
                self.report.damage = some.damage
            found = self.without_notes(some.items)
            if found:
                yield await self.validated(found)
            await checkpoint()

    def without_notes(self, items: list[Item]) -> list[Found]:
        """Count what is no reading, and return what is."""
        found: list[Found] = []
        for item in items:
            if isinstance(item, Found):
                item.reading["user_id"] = self.user_id
                found.append(item)
            elif isinstance(item, Skipped):
                self.report.skip(item.kind, item.reason, item.times)
            else:
                self.reject(item)
        return found

    def reject(self, item: Rejected) -> None:
        """Count a record that is damaged."""
        self.tally.received += 1
        self.tally.reject([Fault(at=item.at, problem=item.problem, value=brief(item.value))])
        self.report.count(item.kind, "rejected")

    async def validated(self, found: list[Found]) -> list[Row]:
        """Return the rows of readings that are valid."""
        usual = None
        if not any(has_nul(item) for item in found):
            usual = decode_items([item.reading for item in found], self.bounds)
        if usual is not None:
            self.tally.received += len(usual)
            self.kinds_waiting.extend(item.kind for item in found)
            return usual
        rows: list[Row] = []
        time_slice = TimeSlice()
        for item in found:
            valid = await self.validated_alone(item)
            if valid:
                self.kinds_waiting.append(item.kind)
                rows += valid
            else:
                self.report.count(item.kind, "rejected")
            await time_slice.checkpoint()
        return rows

    async def validated_alone(self, item: Found) -> list[Row]:
        """Return the row of a reading; none where it is invalid."""
        rows = None if has_nul(item) else decode_items([item.reading], self.bounds)
        if rows is not None:
            self.tally.received += 1
            return rows
        return await validate_each(READING, [(item.at, item.reading)], self.bounds, self.tally)

    async def store(self, rows: list[Any], /, *, patiently: bool = False) -> Counter[str]:
        """Store rows, and count them by kind and outcome."""
        write = partial(self.writer.write_each, self.tenant_id, rows)
        outcomes = [Outcome(one).name for one in await write(patiently=patiently)]
        for outcome in outcomes:
            self.report.count(self.kinds_waiting.popleft(), outcome)
        return Counter(outcomes)


def has_nul(item: Found) -> bool:
    """Return whether the device's name has what the fast decoder must not see: NUL, or half a character."""
    device_id = item.reading.get("device_id")
    if device_id is None or (isinstance(device_id, str) and device_id.isascii() and "\0" not in device_id):
        return False
    try:
        return not isinstance(device_id, str) or "\0" in device_id or not device_id.encode()
    except UnicodeEncodeError:
        return True
