"""Batches of items: which are valid, and what is wrong with the others."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from pydantic import TypeAdapter, ValidationError

from service.events import EVENT
from service.fields import Bounds
from service.problems import Fault, Invalid, fault
from service.readings import HEART_RATE_READING, INGEST_ITEM, READING
from service.tally import Tally

A_WHILE = 500  # items: some milliseconds, after which others have a turn
KINDS = {EVENT: "events", READING: "readings", INGEST_ITEM: "readings", HEART_RATE_READING: "readings"}


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


async def judge_each(
    adapter: TypeAdapter[Any], placed: Iterable[tuple[str, Any]], bounds: Bounds, tally: Tally
) -> list[Any]:
    """Validate items, each alone, and return the valid ones; faults stand at the items' places."""
    valid: list[Any] = []
    for count, (place, value) in enumerate(placed, 1):
        tally.received += 1
        try:
            valid.append(adapter.validate_python(value, context=bounds))
        except ValidationError as error:
            tally.reject([fault(details, place) for details in error.errors()] if tally.has_room else ())
        if count % A_WHILE == 0:
            await asyncio.sleep(0)
    return valid


async def judge(
    adapter: TypeAdapter[Any], values: list[Any], bounds: Bounds, prefix: str | None
) -> tuple[list[Any], Tally]:
    """Validate a batch, each item alone; faults stand at `prefix[index]` or, without one, at the only item's fields."""
    tally = Tally(KINDS[adapter])
    placed = (("" if prefix is None else f"{prefix}[{index}]", value) for index, value in enumerate(values))
    return await judge_each(adapter, placed, bounds, tally), tally


async def require_all(adapter: TypeAdapter[Any], values: list[Any], bounds: Bounds, prefix: str) -> list[Any]:
    """Validate a batch of which every item must be valid; Invalid names what is not."""
    items, tally = await judge(adapter, values, bounds, prefix)
    if tally.rejected:
        raise Invalid(f"{tally.rejected} of {len(values)} items are invalid; nothing was stored.", tally.faults)
    return items


def require_one(adapter: TypeAdapter[Any], value: Any, bounds: Bounds) -> Any:
    """Validate the one object of a request; faults stand at its fields."""
    try:
        return adapter.validate_python(value, context=bounds)
    except ValidationError as error:
        tally = Tally(KINDS.get(adapter, ""))
        faults = [fault(details) for details in error.errors()]
        if tally.kind:
            tally.reject(faults)
        raise Invalid("The request is invalid.", faults) from None


def require_list(value: Any, name: str, most: int) -> list[Any]:
    """Return the array `name` of an envelope such as {"readings": []}; Invalid where it is none, empty or too long."""
    items = value.get(name) if isinstance(value, dict) else None
    if not isinstance(items, list):
        raise Invalid(f"The body must be an object with an array {name!r}.")
    if not items:
        raise Invalid(f"The array {name!r} is empty.", [Fault(at=name, problem="must not be empty", value="an array")])
    if len(items) > most:
        raise Invalid(
            f"The array {name!r} has {len(items)} items; at most {most} are taken at once.",
            [Fault(at=name, problem=f"must have at most {most} items", value=len(items))],
        )
    return items
