"""Validation of items, each alone: the rows of the valid ones, the faults of the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from pydantic import TypeAdapter, ValidationError

from service.errors import Fault, Invalid
from service.event_loop import TimeSlice
from service.ingest.chunker import no_array
from service.ingest.receipt import Tally
from service.metrics.counters import Counters
from service.model.event import EVENT, EVENT_OF_TENANT, to_event_row
from service.model.fields import Bounds
from service.model.other_metrics import flattened
from service.model.quantities import MAY_CHANGE
from service.model.reading import HEART_RATE_READING, INGEST_ITEM, METRICS, READING, to_row
from service.model.validation_errors import fault


class Kind(NamedTuple):
    """What items are called, and what makes the row of a valid one."""

    name: str
    to_row: Callable[[Any], Any]


EVENTS, READINGS = Kind("events", to_event_row), Kind("readings", to_row)
KINDS = {
    EVENT: EVENTS,
    EVENT_OF_TENANT: EVENTS,
    READING: READINGS,
    INGEST_ITEM: READINGS,
    HEART_RATE_READING: READINGS,
}


def items_of(value: Any, name: str) -> tuple[list[Any], str | None]:
    """Return the items of a body, one object, an array, or {name: []}; and where they stand, None for one object."""
    if isinstance(value, dict) and name in value:
        value = value[name]
        if not isinstance(value, list):
            raise Invalid(f"{name} must be an array.", [Fault(at=name, problem="must be an array", value=None)])
    if isinstance(value, list):
        if not value:
            raise Invalid(f"There are no {name} in the request.")
        return value, name
    if isinstance(value, dict):
        return [value], None
    raise Invalid(f"The body must be an object, an array, or an object with an array {name!r}.")


async def validate_each(
    adapter: TypeAdapter[Any], items: Iterable[tuple[str, Any]], bounds: Bounds, tally: Tally
) -> list[Any]:
    """Validate items, each alone, and return the rows of the valid ones; faults name the items' places."""
    rows: list[Any] = []
    to_row = KINDS[adapter].to_row
    time_slice = TimeSlice()
    for place, value in items:
        tally.received += 1
        try:
            rows.append(to_row(await validated(adapter, value, bounds, tally)))
        except ValidationError as error:
            if tally.drops_fields and (kept := without_invalid(adapter, value, error, bounds, tally)) is not None:
                rows.append(to_row(kept))
            else:
                faults = [fault(details, place) for details in error.errors()] if tally.has_room else ()
                tally.reject(faults, bounds.registry.own_names if faults else ())
        await time_slice.checkpoint()
    return rows


async def validated(adapter: TypeAdapter[Any], value: Any, bounds: Bounds, tally: Tally) -> Any:
    """Validate an item, again where the registry of metrics has changed since it was read."""
    try:
        return adapter.validate_python(value, context=bounds)
    except ValidationError as error:
        if not may_change(error) or not await bounds.registry.renew(patiently=not tally.has_renewed):
            raise
    tally.has_renewed = True
    return adapter.validate_python(value, context=bounds)


def may_change(error: ValidationError) -> bool:
    """Return whether an item may be valid by a newer state of the registry of metrics."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return any(details["type"] in MAY_CHANGE for details in found)


def without_invalid(adapter: TypeAdapter[Any], value: Any, error: ValidationError, bounds: Bounds, tally: Tally) -> Any:
    """Return a reading without the metrics that are invalid; None where anything else is, or no metric is left."""
    invalid = {str(details["loc"][0]) if details["loc"] else "" for details in error.errors()}
    if not all(name in METRICS or name in bounds.registry.by_name for name in invalid):
        return None
    fields, _ = flattened(value)
    try:
        kept = adapter.validate_python({key: one for key, one in fields.items() if key not in invalid}, context=bounds)
    except ValidationError:
        return None
    tally.dropped.update(invalid)
    return kept


def with_places(values: Iterable[Any], prefix: str | None, first: int = 0) -> Iterator[tuple[str, Any]]:
    """Yield items with their places, `prefix[index]`; without a prefix, faults name the fields alone."""
    return (("" if prefix is None else f"{prefix}[{index}]", value) for index, value in enumerate(values, first))


def all_refused(tally: Tally) -> Invalid:
    """Return the refusal of all items because some are invalid."""
    return Invalid(f"{tally.rejected} of {tally.received} items are invalid; nothing was stored.", tally.faults)


def validate_one(adapter: TypeAdapter[Any], value: Any, bounds: Bounds) -> Any:
    """Validate the one object of a request; faults name its fields."""
    try:
        return adapter.validate_python(value, context=bounds)
    except ValidationError as error:
        raise Invalid("The request is invalid.", [fault(details) for details in error.errors()]) from None


def validate_item(adapter: TypeAdapter[Any], value: Any, bounds: Bounds, counters: Counters) -> Any:
    """Validate the one reading or event of a request, and count it where it is invalid."""
    try:
        return validate_one(adapter, value, bounds)
    except Invalid as invalid:
        counters.count_rejected(KINDS[adapter].name, invalid.faults)
        raise


def require_list(value: Any, name: str, most: int) -> list[Any]:
    """Return the array `name` of an envelope such as {"readings": []}; Invalid where it is none, empty or too long."""
    items = value.get(name) if isinstance(value, dict) else None
    if not isinstance(items, list):
        raise no_array(name)
    require_count(name, len(items), most)
    return items


def require_count(name: str, count: int, most: int) -> None:
    """Refuse an array `name` of an envelope that is empty or too long."""
    if not count:
        raise Invalid(f"The array {name!r} is empty.", [Fault(at=name, problem="must not be empty", value="an array")])
    if count > most:
        raise Invalid(
            f"The array {name!r} has {count} items; at most {most} are taken at once.",
            [Fault(at=name, problem=f"must have at most {most} items", value=count)],
        )
