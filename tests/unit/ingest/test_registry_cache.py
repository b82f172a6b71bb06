"""The cache of the registry: read when it is needed, once for all who need it, and not too often."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from service.ingest import registry_cache
from service.ingest.registry_cache import MOST_TENANTS, SECONDS, RegistryCache

SPO2 = {
    "metric_key": 9, "name": "spo2", "unit": "%", "lowest": 50.0, "highest": 100.0, "other_units": [], "built_in": True,
    "kind": "gauge", "most_per_second": None, "healthkit": None, "health_connect": None, "open_mhealth": None,
}  # fmt: skip


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The tenants whose metrics were read."""
    found: list[str] = []

    async def fetch_all(_: Any, name: str, tenant_id: str) -> list[dict[str, Any]]:
        assert name == "registry"
        found.append(tenant_id)
        await asyncio.sleep(0.01)
        return [SPO2]

    monkeypatch.setattr(registry_cache, "fetch_all", fetch_all)
    return found


def test_those_who_ask_at_once_share_a_read(reads: list[str]) -> None:
    async def ask() -> None:
        registry = RegistryCache(None).of("lab")  # type: ignore[arg-type]
        assert all(await asyncio.gather(*(registry.renew(patiently=True) for _ in range(20))))
        assert list(registry.by_name) == ["spo2"]
        assert reads == ["lab"]

    asyncio.run(ask())


def test_it_is_not_read_again_at_once_but_by_who_waits(reads: list[str]) -> None:
    async def ask() -> None:
        registry = RegistryCache(None).of("lab")  # type: ignore[arg-type]
        began = time.monotonic()
        assert await registry.renew(patiently=True)
        assert not await registry.renew(patiently=False)
        assert len(reads) == 1
        assert all(await asyncio.gather(*(registry.renew(patiently=True) for _ in range(20))))
        assert time.monotonic() - began >= SECONDS
        assert len(reads) == 2
        registry.drop()
        assert not registry.by_name
        assert await registry.renew(patiently=False)

    asyncio.run(ask())


def test_what_is_forgotten_is_read_again_before_anything_is_accepted(reads: list[str]) -> None:
    async def ask() -> None:
        cache = RegistryCache(None)  # type: ignore[arg-type]
        registries = [cache.of("lab"), cache.of("clinic")]
        for registry in registries:
            await registry.renew(patiently=True)
        cache.forget()
        for registry in registries:
            assert not registry.by_name
            assert await registry.renew(patiently=False)
            assert list(registry.by_name) == ["spo2"]
        assert reads == ["lab", "clinic"] * 2

    asyncio.run(ask())


def test_tenants_are_bounded() -> None:
    cache = RegistryCache(None)  # type: ignore[arg-type]
    first = cache.of("lab")
    assert cache.of("lab") is first
    for number in range(MOST_TENANTS):
        cache.of(str(number))
    assert len(cache.tenants) == MOST_TENANTS
    assert cache.of("lab") is not first
