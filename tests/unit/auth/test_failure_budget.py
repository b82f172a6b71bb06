"""How often an address may fail."""

from __future__ import annotations

import pytest

from service.auth import failure_budget
from service.auth.failure_budget import FailureBudget
from service.errors import RateLimited


def test_an_address_that_fails_too_often_must_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [1000.0]
    monkeypatch.setattr(failure_budget.time, "monotonic", lambda: clock[0])
    budget = FailureBudget(20)
    for _ in range(20):
        budget.require("10.0.0.1")
        budget.spend("10.0.0.1")
    with pytest.raises(RateLimited) as caught:
        budget.require("10.0.0.1")
    budget.require("10.0.0.2")
    clock[0] += caught.value.retry_after
    budget.require("10.0.0.1")


def test_addresses_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failure_budget, "MOST_ADDRESSES", 3)
    budget = FailureBudget(20)
    for number in range(10):
        budget.spend(f"10.0.0.{number}")
    assert list(budget.failures) == ["10.0.0.7", "10.0.0.8", "10.0.0.9"]
