"""Time questions, in the database and as seen by the client."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from scripts.bench.database import Connection
from scripts.bench.questions import Question

PATIENCE = 20.0
LEAST = 3
EXPLAIN = b"EXPLAIN (ANALYZE, TIMING OFF, SUMMARY, FORMAT JSON) "


class Times(NamedTuple):
    """Milliseconds of one kind of question."""

    questions: int
    first_p50: float
    """Planning and execution in the database, where the session may open a chunk for the first time."""
    first_p99: float
    p50: float
    """The same question again."""
    p99: float
    client_p50: float
    """As seen by the client, over one connection."""
    client_p99: float


def measure(connection: Connection, questions: Iterable[Question]) -> Times:
    """Ask each question three times, twice timed by the database; ask fewer questions if they take very long."""
    return in_turns([(connection, questions)])[0]


def in_turns(asked: Sequence[tuple[Connection, Iterable[Question]]]) -> list[Times]:
    """Ask each database its next question in turn, so that a change of the machine's speed affects all alike."""
    taken: list[tuple[list[float], list[float], list[float]]] = [([], [], []) for _ in asked]
    began = time.monotonic()
    for count, turn in enumerate(zip(*(questions for _, questions in asked), strict=True), start=1):
        for (connection, _), question, (first, inside, outside) in zip(asked, turn, taken, strict=True):
            first.append(in_database(connection, question))
            inside.append(in_database(connection, question))
            outside.append(by_client(connection, question))
        if time.monotonic() - began > PATIENCE * len(asked) and count >= LEAST:
            break
    return [times_of(*each) for each in taken]


def times_of(first: list[float], inside: list[float], outside: list[float]) -> Times:
    """Summarise times in milliseconds."""
    return Times(
        len(inside), *(percentile(times, percent) for times in (first, inside, outside) for percent in (50, 99))
    )


def in_database(connection: Connection, question: Question) -> float:
    """Return the milliseconds of planning and execution."""
    row = connection.execute(EXPLAIN + question.statement, question.parameters).fetchone()
    assert row is not None
    plan = row[0][0]
    return float(plan["Planning Time"] + plan["Execution Time"])


def by_client(connection: Connection, question: Question) -> float:
    """Return the milliseconds from sending a question to reading its answer."""
    began = time.perf_counter()
    connection.execute(question.statement, question.parameters).fetchall()
    return (time.perf_counter() - began) * 1000


def percentile(values: list[float], percent: float) -> float:
    """Return the smallest value that `percent` of all values do not exceed."""
    return sorted(values)[max(0, math.ceil(len(values) * percent / 100) - 1)]
