"""Open files: as many as the system allows, and what connections may have of them."""

from __future__ import annotations

import resource

OTHERS = 128  # files beside connections of clients: the database, stores of workers' figures, what Python opens
MOST_BACKLOG = 4096  # connections that wait to be accepted, as many as Linux allows by default


def raise_limit() -> int:
    """Raise the limit of open files to the highest that is allowed, and return it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        except (OSError, ValueError):  # macOS has another limit below an infinite one
            return soft
    return 1_000_000 if hard == resource.RLIM_INFINITY else hard


def backlog(limit: int) -> int:
    """Return how many connections may wait to be accepted: the event loop accepts them all at once."""
    return max(16, min(MOST_BACKLOG, limit // 8))


def room_for_connections(limit: int) -> int:
    """Return how many connections there may be, so that those that wait beside them can be accepted, twice over."""
    return max(16, limit - OTHERS - 2 * backlog(limit))
