"""The audit: who erased, deleted and changed what, by key and role, and never on whom."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import psycopg
import pytest

from tests.support.keys import add_key, bearer, revoke_key
from tests.support.service_process import running_service
from tests.support.wire import moment, reading


@pytest.fixture(scope="module")
def guarded_url(database_url: str) -> Iterator[str]:
    """A service that asks everybody for a key."""
    with running_service(database_url, AUTH="keys") as url:
        yield url


def audit(db: psycopg.Connection) -> list[tuple[Any, ...]]:
    """Return the acts that are not about keys, in order."""
    query = "SELECT act, key_id, tenant_id, detail FROM core.audit WHERE act NOT LIKE '%% key' ORDER BY entry"
    return db.execute(query.replace("%%", "%")).fetchall()


def test_acts_are_noted_with_the_key_and_without_the_user(guarded_url: str, db: psycopg.Connection) -> None:
    text = add_key(db, ["ingest", "admin"], tenant="clinic")
    key_id = text.split("_")[1]
    with httpx.Client(base_url=guarded_url, headers=bearer(text), timeout=30) as client:
        client.post("/v1/readings", json=[reading(f"10:0{n}:00", user_id="secret person") for n in range(3)])
        client.put("/v1/devices/default", json={"priority": 3})
        client.put("/v1/devices/default", json={"priority": 3})
        day = {"start": moment("10:00:00"), "end": moment("10:01:00")}
        client.delete("/v1/users/secret%20person/readings", params=day)
        client.delete("/v1/users/secret%20person")
        client.delete("/v1/users/secret%20person")
    assert audit(db) == [
        ("set device", key_id, "clinic", {"device_id": "default", "priority": 3, "before": 999}),
        ("delete readings", key_id, "clinic", {"readings": 1, "samples": 0, "intervals": 0}),
        ("erase user", key_id, "clinic", {"names": 1}),
    ]
    everything = db.execute("SELECT a::text FROM core.audit AS a").fetchall()
    assert not [row for (row,) in everything if "secret person" in row or text.split("_")[2] in row]


def test_acts_by_psql_are_noted_with_the_role(client: httpx.Client, db: psycopg.Connection) -> None:
    client.post("/v1/readings", json=reading())
    db.execute("SELECT api.erase_user('default', 'ada')")
    assert audit(db) == [("erase user", None, "default", {"names": 1})]
    assert db.execute("SELECT role = session_user FROM core.audit").fetchone() == (True,)


def test_what_happens_to_keys_is_noted(db: psycopg.Connection) -> None:
    text = add_key(db, ["read"], tenant="clinic")
    revoke_key(db, text)
    rows = db.execute("SELECT act, key_id, tenant_id FROM core.audit ORDER BY entry").fetchall()
    assert rows == [(act, text.split("_")[1], "clinic") for act in ("create key", "revoke key")]


@pytest.mark.native  # the embedded database runs one transaction at a time
def test_the_same_priority_waits_for_no_lock(client: httpx.Client, db: psycopg.Connection, database_url: str) -> None:
    db.execute("SELECT api.set_device('default', 'watch', 'Watch', 3)")
    with psycopg.connect(database_url) as holder:
        holder.execute("LOCK TABLE core.horizon_lock IN EXCLUSIVE MODE")
        answer = client.put("/v1/devices/watch", json={"priority": 3, "name": "Watch"}, timeout=3)
        assert answer.status_code == 200
