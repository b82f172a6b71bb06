"""The budget of restarts: spent by many in a short time, and there again later."""

from __future__ import annotations

import time

import pytest

from service.server.restart_budget import MOST_RESTARTS, WITHIN_SECONDS, RestartBudget


def test_many_restarts_in_a_short_time_spend_it(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    budget = RestartBudget()
    assert all(budget.spend() for _ in range(MOST_RESTARTS))
    assert not budget.spend()
    now += WITHIN_SECONDS
    assert budget.spend()


def test_restarts_now_and_then_are_always_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter(range(0, 1000, 2))
    monkeypatch.setattr(time, "monotonic", lambda: float(next(moments)))
    budget = RestartBudget()
    assert all(budget.spend() for _ in range(3 * MOST_RESTARTS))
