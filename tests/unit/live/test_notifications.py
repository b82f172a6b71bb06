"""Notifications: which of them concern a tenant as a whole."""

from __future__ import annotations

import asyncio

from service.live.feeds import Feeds
from service.live.notifications import of_tenant, split_origin, tenant_digest
from tests.unit.live.test_feeds import broadcaster_of, listening


def test_a_tenant_is_known_by_the_digest_of_its_name() -> None:
    digest = tenant_digest("ü")
    assert len(digest) == 64
    assert of_tenant(f"{digest}:many") == digest
    for payload in ("many", ":many", "", "abc-1:", f"abc-1/7:{'A' * 64}", f"{digest}:"):
        assert of_tenant(payload) is None
    assert split_origin("many") == ("", "many"), "of all tenants"


def test_only_that_tenants_clients_are_sent_a_snapshot_again() -> None:
    feeds = Feeds(asyncio.Event())
    for tenant_id in ("one", "two"):
        listening(feeds, tenant_id, "ada")
    broadcaster = broadcaster_of(feeds)
    broadcaster.resynchronize_tenant(tenant_digest("three"))
    assert not feeds.wake.is_set()
    broadcaster.resynchronize_tenant(tenant_digest("one"))
    assert feeds.wake.is_set()
    needs = {client.tenant_id: client.needs_snapshot for client in feeds.clients}
    assert needs == {"one": True, "two": False}
    kept = {tenant_id: list(feed.latest_cache.entries) for tenant_id, feed in feeds.by_tenant.items()}
    assert kept == {"one": [], "two": ["ada"]}
