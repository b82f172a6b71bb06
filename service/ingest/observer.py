"""The observer of the writer's commits: live updates, which the writer knows by this protocol only."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from itertools import count
from typing import NamedTuple, Protocol

from service.ingest.write_load import WriteLoad
from service.model.reading import Row


class MatchedRows(NamedTuple):
    """Rows of one request, and those of users with subscribers, by the subscriptions of a version."""

    tenant_id: str
    rows: Sequence[Row]
    matched: Sequence[Row]
    version: int


class Origins:
    """The origins of this process's commits: an origin is announced with a commit, and names it."""

    def __init__(self) -> None:
        self.process = secrets.token_hex(6)
        self.numbers = count(1)

    def next(self) -> str:
        """Return the origin of another commit."""
        return f"{self.process}-{next(self.numbers)}"


class CommitObserver(Protocol):
    """Observes the writer's commits."""

    @property
    def write_load(self) -> WriteLoad:
        """Counts the writes in flight."""

    @property
    def has_remote_subscribers(self) -> bool:
        """Whether other processes may have subscribers, so that a commit must announce whose readings it changes."""

    @property
    def has_subscribers(self) -> bool:
        """Whether this process has subscribers, or others may have."""

    def match(self, tenant_id: str, rows: Sequence[Row]) -> MatchedRows | None:
        """Match the rows of a request with its tenant's subscriptions, before they wait; None without subscribers."""

    def register(self, batch: Iterable[tuple[str, Sequence[Row], MatchedRows | None]]) -> str:
        """Return the origin that the commit of a batch is to announce; the batch has each request's tenant and rows."""


class Unobserved:
    """The observer of a process without live updates, which other processes may have."""

    has_remote_subscribers = True
    has_subscribers = True

    def __init__(self) -> None:
        self.write_load = WriteLoad()
        self.origins = Origins()

    def match(self, tenant_id: str, rows: Sequence[Row]) -> None:
        """Match nothing."""

    def register(self, batch: Iterable[tuple[str, Sequence[Row], MatchedRows | None]]) -> str:
        """Return an origin of this process, and keep nothing."""
        return self.origins.next()
