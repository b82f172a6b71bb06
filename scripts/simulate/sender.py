"""Send requests without losing any: each is repeated until the service gives a final answer.

Every write is idempotent, so a write whose answer was lost can be repeated.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

import httpx

FIRST_PAUSE, LONGEST_PAUSE, LONGEST_ADVICE = 0.1, 2.0, 30.0
"""Seconds: the first pause before a retry, the longest one, and the longest Retry-After that is honoured."""

RETRIED = frozenset({429, 500, 502, 503, 504})
ALARMING = frozenset({500, 502, 504})
"""Statuses that are retried but count as errors; a busy service answers 429 or 503."""

BEFORE_SENDING = (httpx.ConnectError, httpx.ConnectTimeout)
"""Failures after which the service has certainly not received the request."""


class Answer(NamedTuple):
    """The final answer to a request."""

    status: int
    body: bytes
    seconds: float
    """Duration of the attempt that was answered."""
    in_doubt: bool
    """Whether an earlier attempt may have reached the service without an answer."""


Notice = Callable[[str], None]


def pause_before(attempt: int, advice: str | None) -> float:
    """Return the seconds to wait before retry number `attempt`, from 0; `advice` is a Retry-After header."""
    wanted = retry_after(advice)
    if wanted is not None:
        return min(wanted, LONGEST_ADVICE)
    return min(FIRST_PAUSE * 2.0 ** min(attempt, 10), LONGEST_PAUSE) * random.uniform(0.5, 1.0)  # noqa: S311


def retry_after(advice: str | None) -> float | None:
    """Return a Retry-After header, seconds or a date, as seconds from now; None if it is absent or malformed."""
    if advice is None:
        return None
    try:
        return max(float(advice), 0.0)
    except ValueError:
        pass
    try:
        return max((parsedate_to_datetime(advice) - datetime.now(UTC)).total_seconds(), 0.0)
    except (ValueError, TypeError):
        return None


async def deliver(
    client: httpx.AsyncClient,
    method: str,
    path: str,
    *,
    patience: float,
    notice: Notice = lambda kind: None,
    **request: Any,
) -> Answer | None:
    """Send a request until it is answered; return None if `patience` seconds pass without an answer.

    `notice` is called with the kind of each failed attempt.
    """
    deadline = time.monotonic() + patience
    in_doubt = False
    attempt = 0
    while True:
        began = time.monotonic()
        advice = None
        try:
            response = await client.request(method, path, **request)
        except httpx.TransportError as error:
            kind = _words(error)
            in_doubt |= not isinstance(error, BEFORE_SENDING)
        else:
            if response.status_code not in RETRIED:
                return Answer(response.status_code, response.content, time.monotonic() - began, in_doubt)
            kind = f"HTTP {response.status_code}"
            advice = response.headers.get("Retry-After")
            in_doubt |= response.status_code != 429
        notice(kind)
        pause = pause_before(attempt, advice)
        if time.monotonic() + pause > deadline:
            return None
        await asyncio.sleep(pause)
        attempt += 1


def _words(error: httpx.TransportError) -> str:
    """Return a short description of a connection failure."""
    if isinstance(error, BEFORE_SENDING):
        return "no connection"
    if isinstance(error, httpx.TimeoutException):
        return "no answer in time"
    return "connection lost"


def problem(answer: Answer) -> str:
    """Return what is wrong according to the service, from a problem document or another body."""
    try:
        document = json.loads(answer.body)
    except ValueError:
        return answer.body[:200].decode(errors="replace")
    if not isinstance(document, dict):
        return str(document)[:200]
    words = str(document.get("detail") or document.get("title") or document)
    errors = document.get("errors")
    if isinstance(errors, list) and errors and isinstance(errors[0], dict):
        words += f" ({errors[0].get('at')}: {errors[0].get('problem')})"
    return words[:300]


def receipt_problem(answer: Answer, path: str, count: int) -> str | None:
    """Return what is wrong with the receipt for `count` readings; None if all were accepted."""
    try:
        receipt = json.loads(answer.body)
    except ValueError:
        return "the receipt is not JSON"
    if not isinstance(receipt, dict):
        return f"the receipt is no object: {str(receipt)[:100]}"
    name = "ingested" if path == "/ingest" else "received"
    if receipt.get(name) != count:
        return f"{count} readings were sent, but the receipt says {name} {receipt.get(name)}"
    if receipt.get("rejected"):
        return f"{receipt['rejected']} of {count} readings were rejected: {str(receipt.get('errors'))[:200]}"
    return None
