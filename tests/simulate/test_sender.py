"""Retries, against a real server that fails on demand."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest

from scripts.simulate.reading import Reading, as_body
from scripts.simulate.sender import Answer, deliver, pause_before, problem, receipt_problem, retry_after
from tests.support.stand_in import StandIn, in_turn, listener, serving

READING = Reading("101", "default", 1_760_000_000_000_000, 70_000_000, 3, 1_250_000)


@pytest.fixture
def stand_in() -> StandIn:
    return StandIn()


@pytest.fixture
def address(stand_in: StandIn) -> Iterator[str]:
    with serving(stand_in) as url:
        yield url


def send(url: str, kinds: list[str], *, patience: float = 10.0, timeout: float = 5.0) -> Answer | None:
    """Deliver one reading; `kinds` receives the kinds of failures."""

    async def run() -> Answer | None:
        async with httpx.AsyncClient(base_url=url, timeout=timeout, trust_env=False) as client:
            body = as_body([READING], integer_user=True)
            return await deliver(client, "POST", "/ingest", patience=patience, notice=kinds.append, content=body)

    return asyncio.run(run())


def test_a_good_answer_needs_one_attempt(stand_in: StandIn, address: str) -> None:
    kinds: list[str] = []
    answer = send(address, kinds)
    assert answer is not None
    assert (answer.status, answer.in_doubt, kinds, len(stand_in.posts)) == (200, False, [], 1)


def test_a_busy_service_is_asked_again_when_it_says(stand_in: StandIn, address: str) -> None:
    stand_in.troubles = in_turn(["503", "429", "503"])
    kinds: list[str] = []
    began = time.monotonic()
    answer = send(address, kinds)
    assert answer is not None
    assert answer.status == 200
    assert kinds == ["HTTP 503", "HTTP 429", "HTTP 503"]
    assert 0.6 <= time.monotonic() - began < 3
    assert len(stand_in.held) == 1


@pytest.mark.parametrize("trouble", ["drop", "lose"])
def test_a_lost_answer_is_in_doubt_and_sent_again(stand_in: StandIn, address: str, trouble: str) -> None:
    stand_in.troubles = in_turn([trouble])
    kinds: list[str] = []
    answer = send(address, kinds)
    assert answer is not None
    assert (answer.status, answer.in_doubt, kinds) == (200, True, ["connection lost"])
    assert len(stand_in.posts) == 2
    assert len(stand_in.held) == 1


def test_a_slow_service_is_in_doubt_and_asked_again(stand_in: StandIn, address: str) -> None:
    stand_in.troubles = in_turn(["slow"])
    kinds: list[str] = []
    answer = send(address, kinds, timeout=0.3)
    assert answer is not None
    assert (answer.status, answer.in_doubt, kinds) == (200, True, ["no answer in time"])


def test_a_service_that_is_away_has_seen_nothing() -> None:
    with listener() as unused:
        port = unused.getsockname()[1]
    kinds: list[str] = []
    began = time.monotonic()
    assert send(f"http://127.0.0.1:{port}", kinds, patience=1.0) is None
    assert time.monotonic() - began < 2
    assert set(kinds) == {"no connection"}


def test_patience_ends(stand_in: StandIn, address: str) -> None:
    stand_in.troubles = lambda number: "503"
    began = time.monotonic()
    assert send(address, [], patience=0.7) is None
    assert time.monotonic() - began < 1.5
    assert len(stand_in.posts) > 1


def test_pauses_grow_to_a_limit_and_follow_advice() -> None:
    for attempt, most in enumerate((0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0)):
        assert most / 2 <= pause_before(attempt, None) <= most
    assert pause_before(1000, None) <= 2
    assert pause_before(0, "3") == 3
    assert pause_before(0, "100000") == 30


def test_retry_after_may_be_a_date_or_nonsense() -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=20), usegmt=True)
    assert 15 < (retry_after(soon) or 0) <= 20
    assert retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0
    assert retry_after("-5") == 0
    assert retry_after("soon") is None
    assert retry_after(None) is None


def test_what_is_wrong_in_words() -> None:
    document = b'{"title": "Invalid", "detail": "No.", "errors": [{"at": "[0].steps", "problem": "too many"}]}'
    assert problem(Answer(422, document, 0, False)) == "No. ([0].steps: too many)"
    assert problem(Answer(502, b"<html>", 0, False)) == "<html>"
    assert problem(Answer(422, b"[1]", 0, False)) == "[1]"


@pytest.mark.parametrize(
    ("path", "body", "wrong"),
    [
        ("/ingest", b'{"ingested": 2}', None),
        ("/ingest", b'{"ingested": 1}', "2 readings were sent, but the receipt says ingested 1"),
        ("/v1/readings", b'{"received": 2, "rejected": 0}', None),
        ("/v1/readings", b'{"received": 2, "rejected": 1, "errors": []}', "1 of 2 readings were rejected: []"),
        ("/v1/readings", b"nonsense", "the receipt is not JSON"),
        ("/v1/readings", b"[]", "the receipt is no object: []"),
    ],
)
def test_receipts(path: str, body: bytes, wrong: str | None) -> None:
    assert receipt_problem(Answer(200, body, 0, False), path, 2) == wrong
