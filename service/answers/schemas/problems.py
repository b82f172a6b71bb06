"""RFC 9457 problem documents."""

from __future__ import annotations

from typing import Any, NotRequired

from typing_extensions import TypedDict


class ProblemDocument(TypedDict):
    """An error, as RFC 9457 has it."""

    type: str
    title: str
    status: int
    detail: str
    errors: NotRequired[list[FaultDocument]]


class FaultDocument(TypedDict):
    """One thing wrong with the input: where, what, and the value found there."""

    at: str
    problem: str
    value: Any
