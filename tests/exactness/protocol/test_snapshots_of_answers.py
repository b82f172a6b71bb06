"""An answer is of one snapshot, whatever is written while it is composed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from tests.exactness.protocol.acts import RANGE
from tests.exactness.protocol.mutants import Cases, Mutant, Scenario, judge, named
from tests.support import sql_client
from tests.support.interleaving import NOON, Stage, beat
from tests.support.moments import DAY, MINUTE

STABLE = r"LANGUAGE plpgsql STABLE"


def torn(stage: Stage, ask: Callable[[psycopg.Connection[Any]], Any], right: Callable[[], Any]) -> list[str]:
    """Somebody writes to a stale and to a fresh day at once, after a question found out which is which."""
    stage.write(beat("watch", NOON, 100))
    sql_client.refresh(stage.db, NOON + 2 * DAY)
    stage.write(beat("watch", NOON - DAY, 200))
    before = right()
    with stage.stopped_at("user_1d", "ACCESS EXCLUSIVE"):
        question = stage.act(ask)
        stage.write(beat("watch", NOON - DAY + MINUTE, 3), beat("watch", NOON + MINUTE, 5))
    got = question.end()
    return [] if got in (before, right()) else [f"{got} is neither {before} nor {right()}"]


def torn_summary(stage: Stage) -> list[str]:
    return torn(stage, lambda db: sql_client.summary(db, *RANGE), lambda: stage.model.summary(*RANGE))


def torn_series(stage: Stage) -> list[str]:
    by_day = (*RANGE, "1d", "UTC")
    return torn(stage, lambda db: sql_client.series(db, *by_day)[0], lambda: stage.model.series(*by_day))


TOGETHER: Cases = [
    (torn_summary, [("a summary in two snapshots", Mutant("rows", {STABLE: "LANGUAGE plpgsql VOLATILE"}))]),
    (torn_series, [("a series in two snapshots", Mutant("rows", {STABLE: "LANGUAGE plpgsql VOLATILE"}))]),
]


@pytest.mark.native
@named(TOGETHER)
def test_together(stage: Stage, scenario: Scenario, mutant: Mutant | None) -> None:
    judge(stage, scenario, mutant)
