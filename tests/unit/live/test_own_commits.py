"""Batches that wait for their announcement."""

from __future__ import annotations

import asyncio

import pytest

from service.http.tenancy import DEFAULT_TENANT
from service.ingest.observer import MatchedRows, Unobserved
from service.live import own_commits, presence
from service.live.client import Client
from service.live.feeds import Feeds
from service.live.own_commits import OwnCommits
from service.model.reading import Row
from tests.support.live_clients import Ear

ROWS = [Row("ada", "watch", 0, 60.0)] * 3


def without_clients() -> OwnCommits:
    return OwnCommits(Feeds(asyncio.Event()))


def with_client() -> tuple[OwnCommits, Client]:
    """Batches while a client subscribes to everyone."""
    commits, client = without_clients(), Client(Ear(), DEFAULT_TENANT, None)
    commits.feeds.add(client)
    return commits, client


def register(commits: OwnCommits, *parts: list[Row]) -> str:
    """Register a batch of requests."""
    return commits.register((DEFAULT_TENANT, rows, commits.match(DEFAULT_TENANT, rows)) for rows in parts)


def rows_of(batch: list[MatchedRows] | None) -> list[list[Row]] | None:
    """The rows of each request."""
    return None if batch is None else [list(matched.rows) for matched in batch]


def test_a_batch_is_found_by_its_origin_once() -> None:
    alone = without_clients()
    assert alone.pop(register(alone, ROWS)) is None, "there are no clients"
    commits, client = with_client()
    first, second = register(commits, ROWS), register(commits, ROWS[:1], ROWS[:2])
    assert rows_of(commits.pop(second)) == [ROWS[:1], ROWS[:2]]
    assert rows_of(commits.pop(first)) == [ROWS]
    assert commits.pop(first) is None
    assert with_client()[0].pop(first) is None
    assert len(first) <= 40, "more than api_internal.announce has room for"
    commits.feeds.remove(client)
    assert commits.pop(register(commits, ROWS)) is None, "there are no clients any longer"


def test_rows_that_arrived_before_the_first_client_are_found() -> None:
    commits, _ = with_client()
    assert rows_of(commits.pop(commits.register([(DEFAULT_TENANT, ROWS, None)]))) == [ROWS]


def test_a_batch_that_is_never_announced_is_evicted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_commits, "MAX_ROWS", 7)
    commits, _ = with_client()
    origins = [register(commits, ROWS) for _ in range(3)]
    assert [rows_of(commits.pop(origin)) for origin in origins] == [None, [ROWS], [ROWS]]
    last = register(commits, ROWS)
    commits.clear()
    assert commits.pop(last) is None
    assert commits.row_count == 0


def test_the_presence_of_others_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(presence.time, "monotonic", lambda: now)
    commits = without_clients()
    here = commits.presence
    assert commits.has_remote_subscribers, "nothing was announced yet"
    here.connected()
    assert commits.has_remote_subscribers
    now += presence.EXPIRY_SECONDS
    assert not commits.has_remote_subscribers
    here.record(here.process)
    assert not commits.has_remote_subscribers
    here.record(without_clients().presence.process)
    assert commits.has_remote_subscribers
    now += presence.ANNOUNCE_SECONDS
    assert commits.has_remote_subscribers
    now += presence.EXPIRY_SECONDS
    assert not commits.has_remote_subscribers
    here.disconnected()
    assert commits.has_remote_subscribers


def test_without_live_updates_each_commit_has_an_origin_and_names_its_users() -> None:
    unobserved = Unobserved()
    first, second = unobserved.register([(DEFAULT_TENANT, ROWS, None)]), unobserved.register([])
    assert first != second
    assert 0 < len(first) <= 40
    assert unobserved.has_remote_subscribers
