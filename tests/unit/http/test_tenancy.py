"""The tenant of a request: what it is bound to, and what it may name."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.requests import HTTPConnection

from service.errors import Forbidden
from service.http.tenancy import DEFAULT_TENANT, KEY, tenant_for, tenant_of

UNBOUND: dict[str, Any] = {"type": "http"}
BOUND = UNBOUND | {KEY: "clinic"}


def test_a_request_is_of_its_keys_tenant_or_of_the_default_one() -> None:
    assert tenant_of(HTTPConnection(BOUND)) == tenant_of(BOUND) == "clinic"
    assert tenant_of(HTTPConnection(UNBOUND)) == tenant_of(UNBOUND) == DEFAULT_TENANT


def test_a_bound_request_may_only_repeat_its_tenant() -> None:
    assert tenant_for(HTTPConnection(BOUND), None) == "clinic"
    assert tenant_for(HTTPConnection(BOUND), "clinic") == "clinic"
    for other in ("lab", DEFAULT_TENANT, "Clinic", "clinic ", ""):
        with pytest.raises(Forbidden) as caught:
            tenant_for(HTTPConnection(BOUND), other)
        assert caught.value.detail.startswith(f"tenant_id is {other!r}")
        assert "the key of this request is of another tenant" in caught.value.detail


def test_an_unbound_request_may_name_any_tenant() -> None:
    assert tenant_for(HTTPConnection(UNBOUND), "lab") == "lab"
    assert tenant_for(HTTPConnection(UNBOUND), None) == DEFAULT_TENANT


def test_a_refusal_does_not_repeat_a_long_name() -> None:
    with pytest.raises(Forbidden) as caught:
        tenant_for(HTTPConnection(BOUND), "x" * 100_000)
    assert len(caught.value.detail) < 400
