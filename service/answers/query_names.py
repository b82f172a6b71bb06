"""The names in a query string: one that a path does not know is refused, with the one that was probably meant."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any, get_origin

from starlette.requests import HTTPConnection

from service.errors import Fault, Invalid
from service.model.validation_errors import brief

MOST_FAULTS = 20
LONGEST_NAME = 64  # characters; longer ones resemble nothing
# What other services call it.
ELSEWHERE = {
    "start": ("from", "since", "after", "begin", "date_from", "min_time", "from_date", "time_min"),
    "end": ("to", "until", "till", "before", "date_to", "max_time", "to_date", "end_date", "end_time", "time_max"),
    "user_id": ("user", "uid", "person", "patient"),
    "device_id": ("device", "source"),
    "tz": ("timezone", "time_zone", "zone"),
    "bucket": ("interval", "resolution", "granularity", "step", "window"),
    "bucket_size": ("bucket", "interval", "resolution", "granularity", "step", "window"),
    "limit": ("page_size", "per_page", "size", "count", "max"),
    "cursor": ("page", "offset", "after", "next", "next_cursor", "page_token"),
    "event_type": ("type", "kind"),
    "tenant_id": ("tenant",),
    "atomic": ("all_or_nothing", "transaction"),
}


def require_known(connection: HTTPConnection, known: dict[str, Any]) -> None:
    """Refuse arguments that are not known, and those given twice of which one counts; `known` has a type for each."""
    counts = Counter(name for name, _ in connection.query_params.multi_items())
    faults = [
        Fault(at=name[:LONGEST_NAME], problem=unknown(name, known), value=brief(connection.query_params[name]))
        for name in counts
        if name not in known
    ]
    faults += [
        Fault(at=name, problem=f"is given {count} times", value=brief(connection.query_params[name]))
        for name, count in counts.items()
        if count > 1 and name in known and get_origin(known[name]) is not list
    ]
    if faults:
        raise Invalid("The request is invalid.", faults[:MOST_FAULTS])


def unknown(name: str, known: Iterable[str]) -> str:
    """Say that a name is not known, and which is probably meant, or which there are."""
    names = list(known)
    if not names:
        return "is not known here, where no argument is"
    meant = probably(name.lower(), names)
    return f"is not known here; {meant} is probably meant" if meant else f"is not known here: {', '.join(names)}"


def probably(name: str, names: list[str]) -> str | None:
    """Return the one of the names that another one probably means."""
    if len(name) > LONGEST_NAME:
        return None
    for known in names:
        if name in ELSEWHERE.get(known, ()):
            return known
    return next(iter(get_close_matches(name, names, 1)), None)
