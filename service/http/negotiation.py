"""Which of the formats that a path can answer in a client wants, by RFC 9110."""

from __future__ import annotations

from collections.abc import Sequence

from service.errors import NotAcceptable


def choose(header: str, offered: Sequence[str]) -> str:
    """Return the media type that an Accept header prefers, the first of equals; NotAcceptable where it takes none."""
    if not header.strip():
        return offered[0]
    ranges = [parse(item) for item in header.split(",") if item.strip()]
    best = max(offered, key=lambda kind: quality(kind, ranges))  # the first of equals
    if quality(best, ranges) <= 0:
        raise NotAcceptable(f"None of {header[:100]!r} can be had here; accept {', '.join(offered)}.")
    return best


def parse(item: str) -> tuple[str, float]:
    """Read one media range and its weight; a weight that is none counts as 0."""
    kind, *parameters = (part.strip().lower() for part in item.split(";"))
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                weight = float(parameter[2:])
            except ValueError:
                return kind, 0.0
            return kind, weight if 0 <= weight <= 1 else 0.0
    return kind, 1.0


def quality(kind: str, ranges: Sequence[tuple[str, float]]) -> float:
    """Return the weight that the most specific range gives a media type; 0 where none matches."""
    for wanted in (kind, f"{kind.split('/')[0]}/*", "*/*"):
        weights = [weight for accepted, weight in ranges if accepted == wanted]
        if weights:
            return max(weights)
    return 0.0
