"""Bodies that are still arriving: how slowly they may, and how many at once, counted apart from other requests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from service.errors import BodyTimeout, Overloaded, Problem
from service.http.pace import Pace
from service.settings import Settings
from service.shares import PARTY, Shares

QUICK_SECONDS = 1.0  # a body that is waited for no longer is no slow one


class Arrivals:
    """What the requests of a process share about the arrival of their bodies."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.requests = Shares(settings.max_requests)
        """Requests under way, but for those that wait for a slow body at this moment."""
        self.slow = Shares(settings.max_slow_bodies)
        """Requests that do."""

    def new_pace(self) -> Pace:
        """Return the pace that a body must keep up."""
        return Pace(self.settings.min_body_rate, self.settings.body_idle_seconds)

    @contextmanager
    def waiting(self, is_new: bool) -> Iterator[None]:
        """Wait within for a slow body; Overloaded for one that `is_new`, where as many are waited for as may be."""
        party = PARTY.get()
        if is_new and not self.slow.fits(party):
            problem = Overloaded(f"{self.slow.held} bodies arrive slowly already; try again in a second.")
            problem.ends_connection = True
            raise problem
        self.requests.give(party)
        self.slow.take(party)
        try:
            yield
        finally:
            self.slow.give(party)
            self.requests.take(party)

    def too_slow(self) -> Problem:
        """Say how fast a body must be."""
        rate, patience = self.settings.min_body_rate, self.settings.body_idle_seconds
        return BodyTimeout(
            f"The body stopped arriving: for {patience} seconds it was slower than {rate} bytes a second.",
            ends_connection=True,
        )


def too_late(seconds: int) -> Problem:
    """Say how long a body may take."""
    return BodyTimeout(
        f"The body was not there within {seconds} seconds; send it in smaller pieces.", ends_connection=True
    )
