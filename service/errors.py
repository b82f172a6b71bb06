"""What can be wrong with a request, or keep it from being answered; service/http/problem_details.py maps it to HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypedDict


class Fault(TypedDict):
    """One thing wrong with the input: where, what, and the value that was found there."""

    at: str
    problem: str
    value: Any


class Problem(Exception):
    """The answer to a request is an error: a sentence, and the faults found.

    `ends_connection` where the rest of the request stays unread.
    """

    def __init__(self, detail: str, faults: Sequence[Fault] = (), *, ends_connection: bool = False) -> None:
        super().__init__(detail)
        self.detail = detail
        self.faults = list(faults)
        self.ends_connection = ends_connection


class Malformed(Problem):
    """The input cannot be read."""


class Invalid(Problem):
    """The input can be read, and breaks a rule."""


class Unauthenticated(Problem):
    """The sender must present a key that is in force."""


class Forbidden(Problem):
    """The sender must not do this."""


class NotFound(Problem):
    """What the request names does not exist."""


class NotAcceptable(Problem):
    """The client accepts none of the formats that there are."""


class BodyTimeout(Problem):
    """The body stopped arriving."""


class HeadTooLarge(Problem):
    """The header fields of the request exceed their limit."""


class UrlTooLong(Problem):
    """The URL of the request exceeds its limit."""


class TooLarge(Problem):
    """The body, or a part of it, exceeds its limit."""


class Unsupported(Problem):
    """The body is in a format or an encoding that is not read."""


class Misdirected(Problem):
    """The request is meant for another host."""


class RateLimited(Problem):
    """The sender asks too often; `retry_after` is in seconds."""

    def __init__(self, detail: str, retry_after: int = 1) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class Overloaded(Problem):
    """The service or its database cannot take more at the moment; `retry_after` is in seconds."""

    def __init__(self, detail: str, retry_after: int = 1) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class Failed(Problem):
    """The service failed; its log says why."""

    def __init__(self) -> None:
        super().__init__("The request failed; the log of the service says why.")
