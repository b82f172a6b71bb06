"""Batches of items: which are valid, and what is wrong with the others."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter, ValidationError

from service import rejects
from service.events import EVENT
from service.fields import Bounds
from service.measurements import count_items
from service.problems import Fault, Invalid, fault
from service.readings import HEART_RATE_READING, INGEST_ITEM, READING

MOST_FAULTS = 100
KINDS = {EVENT: "events", READING: "readings", INGEST_ITEM: "readings", HEART_RATE_READING: "readings"}


class Judged:
    """A batch after validation: the valid items with their places, and the faults of the others."""

    def __init__(self) -> None:
        self.places: list[int] = []
        self.items: list[Any] = []
        self.faults: list[Fault] = []
        self.rejected = 0


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


def judge(adapter: TypeAdapter[Any], values: list[Any], bounds: Bounds, prefix: str | None) -> Judged:
    """Validate each item alone; faults stand at `prefix[index]` or, without one, at the only item's fields."""
    judged = Judged()
    for index, value in enumerate(values):
        try:
            item = adapter.validate_python(value, context=bounds)
        except ValidationError as error:
            judged.rejected += 1
            room = MOST_FAULTS - len(judged.faults)
            place = "" if prefix is None else f"{prefix}[{index}]"
            judged.faults += [fault(details, place) for details in error.errors()[:room]]
        else:
            judged.places.append(index)
            judged.items.append(item)
    if judged.rejected:
        count_items(KINDS[adapter], rejected=judged.rejected)
        rejects.note(judged.faults)
    return judged


def require_all(adapter: TypeAdapter[Any], values: list[Any], bounds: Bounds, prefix: str) -> list[Any]:
    """Validate a batch of which every item must be valid; Invalid names what is not."""
    judged = judge(adapter, values, bounds, prefix)
    if judged.rejected:
        raise Invalid(f"{judged.rejected} of {len(values)} items are invalid; nothing was stored.", judged.faults)
    return judged.items


def require_one(adapter: TypeAdapter[Any], value: Any, bounds: Bounds) -> Any:
    """Validate the one object of a request; faults stand at its fields."""
    try:
        return adapter.validate_python(value, context=bounds)
    except ValidationError as error:
        faults = [fault(details) for details in error.errors()]
        if adapter in KINDS:
            count_items(KINDS[adapter], rejected=1)
            rejects.note(faults)
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
