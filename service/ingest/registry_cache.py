"""A cache of the registry of metrics, by tenant.

A registry is read when a metric is first needed, and again when a value is refused: what it says never becomes
narrower, so an earlier state of it refuses too much and accepts nothing wrong. So a metric that any process declares is
accepted by all at once, and readings of known metrics never wait for the registry. Where a metric was deleted by hand
nonetheless, the writer finds that out, and all that was read is forgotten.
"""

from __future__ import annotations

import asyncio
import time

from service.database.pool import Pool, fetch_all
from service.model.registry import Metric, Registry, metric_of, named_elsewhere

SECONDS = 0.2  # between two reads for one tenant
MOST_TENANTS = 1_000  # each some 15 KB, and 100 KB where it has all metrics of its own


class TenantRegistry(Registry):
    """The metrics of a tenant as they were read last."""

    def __init__(self, pool: Pool, tenant_id: str) -> None:
        super().__init__()
        self.pool = pool
        self.tenant_id = tenant_id
        self.read_at = -float("inf")
        self.reading = asyncio.Lock()

    async def renew(self, patiently: bool) -> bool:
        """Read the metrics, unless they were just read: `patiently` wait for the moment, otherwise return False.

        Those who ask meanwhile share one read.
        """
        asked_at = time.monotonic()
        if not patiently and asked_at - self.read_at < SECONDS:
            return False
        async with self.reading:
            if self.read_at < asked_at:  # otherwise it was read while this waited
                await asyncio.sleep(self.read_at + SECONDS - time.monotonic())
                await self.read()
        return True

    def drop(self) -> None:
        """Know no metrics any more, so that they are read again before any value is accepted."""
        self.by_name, self.elsewhere = {}, {}
        self.read_at = -float("inf")

    async def read(self) -> None:
        """Read the metrics."""
        began = time.monotonic()
        rows = await fetch_all(self.pool, "registry", tenant_id=self.tenant_id)
        known = self.by_name
        metrics: dict[str, Metric] = {}
        for row in rows:
            metric = metric_of(row)
            metrics[metric.name] = metric
        if metrics != known:
            self.by_name, self.elsewhere = metrics, named_elsewhere(rows)
        self.read_at = began


class RegistryCache:
    """The registries of the tenants that used metrics lately."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.tenants: dict[str, TenantRegistry] = {}

    def of(self, tenant_id: str) -> TenantRegistry:
        """Return the registry of a tenant, which may not have been read yet."""
        registry = self.tenants.get(tenant_id)
        if registry is None:
            while len(self.tenants) >= MOST_TENANTS:
                del self.tenants[next(iter(self.tenants))]
            registry = self.tenants[tenant_id] = TenantRegistry(self.pool, tenant_id)
        return registry

    def forget(self) -> None:
        """Know no metrics of any tenant any more."""
        for registry in self.tenants.values():
            registry.drop()
