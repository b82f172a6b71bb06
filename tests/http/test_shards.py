"""Two databases behind one service: a tenant's requests reach the database that the map names, and no other."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from itertools import count
from typing import Any

import httpx
import psycopg
import pytest
from websockets.exceptions import ConnectionClosed

from tests.http.test_tenants import (
    CLINIC,
    KEYS,
    LAB,
    METRIC,
    UNBOUND,
    USER,
    WRITES,
    Tenant,
    answers,
    ask,
    event_of,
    reading_of,
    send,
)
from tests.support.keys import add_key, sign_in
from tests.support.live_clients import heard, listening
from tests.support.wire import moment, refused

pytestmark = pytest.mark.native  # the embedded server has one database

NUMBERS = count()
NAMED = """
  SELECT DISTINCT t.tenant_id FROM core.tenant AS t
   WHERE EXISTS (SELECT FROM core.app_user AS u WHERE u.tenant_key = t.tenant_key)
      OR EXISTS (SELECT FROM core.device AS d WHERE d.tenant_key = t.tenant_key)
      OR EXISTS (SELECT FROM core.metric AS m WHERE m.tenant_key = t.tenant_key)
      OR EXISTS (SELECT FROM core.event AS e WHERE e.tenant_key = t.tenant_key)
"""


@pytest.fixture
def both(service: httpx.Client, db: psycopg.Connection, lake: psycopg.Connection) -> dict[str, psycopg.Connection]:
    """Both databases, with keys of tenants; that of the lab is in the second one."""
    nowhere = f"nowhere-{next(NUMBERS)}"
    db.execute("INSERT INTO core.tenant_shard (tenant_id, shard) VALUES ('lab', 'lake'), ('lost', %s)", [nowhere])
    for tenant in (CLINIC, LAB, UNBOUND):
        KEYS[tenant.name] = add_key(db, ["ingest", "read", "admin"], tenant=tenant.name)
    KEYS["lost"] = add_key(db, ["ingest", "read"], tenant="lost")
    KEYS["operator"] = add_key(db, ["operate"])
    wait_for_the_map(service, nowhere)
    return {"home": db, "lake": lake}


def wait_for_the_map(service: httpx.Client, nowhere: str) -> None:
    """Wait until the service has read the map of this test: the lost tenant is where nothing is."""
    while f"'{nowhere}'" not in service.get("/v1/users", headers=Tenant("lost", 0, 0, 0).headers).text:
        pass


def fill(service: httpx.Client, tenant: Tenant) -> None:
    """Do everything that writes, but what deletes."""
    readings = [reading_of(tenant, at) for at in (moment(), moment("12:30:00"), datetime.now(UTC).isoformat())]
    own = reading_of(tenant, moment(), user_id=f"user-{tenant.word}", device_id=f"device-{tenant.word}")
    send(service, tenant, ("POST", "/v1/readings"), json=[*readings, own])
    send(service, tenant, ("PUT", "/v1/devices/{device_id:name}"), json={"name": f"watch-{tenant.word}"})
    send(service, tenant, ("PUT", "/v1/metrics/{name:name}"), json=METRIC | {"title": f"metric-{tenant.word}"})
    events = [event_of(tenant), event_of(tenant, f"evt-{tenant.word}", event_type=f"type-{tenant.word}")]
    send(service, tenant, ("POST", "/v1/events"), json=events)


def tenants_in(database: psycopg.Connection) -> set[str]:
    return {tenant for (tenant,) in database.execute(NAMED).fetchall()}


def test_every_write_reaches_the_tenants_own_database(
    service: httpx.Client, both: dict[str, psycopg.Connection]
) -> None:
    for tenant in (CLINIC, LAB):
        for key, bodies in WRITES.items():
            for body in bodies:
                send(service, tenant, key, **body(tenant))
        fill(service, tenant)
    assert tenants_in(both["home"]) == {"clinic"}
    assert tenants_in(both["lake"]) == {"lab"}
    # What was noted of them is where they are, too.
    assert both["lake"].execute("SELECT DISTINCT tenant_id FROM core.audit").fetchall() == [("lab",)]


def test_every_answer_is_of_the_tenants_own_database(
    service: httpx.Client, both: dict[str, psycopg.Connection]
) -> None:
    for tenant in (CLINIC, LAB, UNBOUND):
        fill(service, tenant)
    for tenant in (CLINIC, LAB, UNBOUND):
        others = [mark for other in (CLINIC, LAB, UNBOUND) if other != tenant for mark in other.marks]
        for where, text in answers(service, tenant):
            assert any(mark in text for mark in tenant.marks), (where, text)
            assert not [mark for mark in others if mark in text], (where, text)
    assert tenants_in(both["home"]) == {"clinic", "default"}


def test_a_client_hears_its_own_database_also_with_a_ticket_and_a_session(
    service: httpx.Client, both: dict[str, psycopg.Connection]
) -> None:
    url = str(service.base_url)
    ticket = ask(service, LAB, ("POST", "/v1/tickets")).json()["ticket"]
    page = sign_in(url, KEYS["lab"]) | {"Origin": url.rstrip("/")}
    with (
        listening(url, "/v1/live", LAB.headers) as by_key,
        listening(url, f"/v1/live?ticket={ticket}") as by_ticket,
        listening(url, "/v1/live", page) as by_session,
        listening(url, "/v1/live", CLINIC.headers) as other,
    ):
        for client in (by_key, by_ticket, by_session, other):
            heard(client, "state")
        for tenant in (LAB, CLINIC):
            send(service, tenant, ("POST", "/v1/readings"), json=reading_of(tenant, datetime.now(UTC).isoformat()))
        for client in (by_key, by_ticket, by_session):
            assert heard(client, "readings")["latest"]["heart_rate"]["value"] == LAB.heart_rate
        assert heard(other, "readings")["latest"]["heart_rate"]["value"] == CLINIC.heart_rate


def test_a_key_for_all_tenants_asks_by_name_and_writes_no_event_elsewhere(
    service: httpx.Client, both: dict[str, psycopg.Connection]
) -> None:
    fill(service, LAB)
    named = ask(
        service,
        UNBOUND,
        ("GET", "/v1/events"),
        params={"tenant_id": "lab", "start": moment("00:00:00"), "end": moment("23:00:00")},
    )
    assert f"type-{LAB.word}" in named.text
    for path, body in (("/v1/events", [event_of(LAB, tenant_id="lab")]), ("/events", event_of(LAB, tenant_id="lab"))):
        problem = refused(ask(service, UNBOUND, ("POST", path), json=body), 403)
        assert "'lab', which is in another database" in problem["detail"]
    assert tenants_in(both["home"]) == set()


@pytest.mark.parametrize("path", ["/v1/live", "/ws", f"/ws/{USER}"])
def test_a_key_for_all_tenants_follows_by_name(
    service: httpx.Client, both: dict[str, psycopg.Connection], path: str
) -> None:
    fill(service, LAB)
    fill(service, UNBOUND)
    url = str(service.base_url)
    with listening(url, f"{path}?tenant_id=lab", UNBOUND.headers) as client:
        assert str(LAB.heart_rate) in json.dumps(heard(client, "state"))
        for tenant in (UNBOUND, LAB):
            send(service, tenant, ("POST", "/v1/readings"), json=reading_of(tenant, datetime.now(UTC).isoformat()))
        assert heard(client, "readings")["latest"]["heart_rate"]["value"] == LAB.heart_rate


@pytest.mark.parametrize("key", [("POST", "/ingest"), ("POST", "/metrics/heart-rate")])
def test_what_names_no_tenant_is_the_default_tenants_whatever_its_url_says(
    service: httpx.Client, both: dict[str, psycopg.Connection], key: tuple[str, str]
) -> None:
    for body in WRITES[key]:
        send(service, UNBOUND, key, params={"tenant_id": "lab"}, **body(UNBOUND))
    assert tenants_in(both["home"]) == {"default"}
    assert tenants_in(both["lake"]) == set()


def test_operators_ask_for_a_database_by_name(service: httpx.Client, both: dict[str, psycopg.Connection]) -> None:
    fill(service, LAB)
    operator = Tenant("operator", 0, 0, 0)
    both["lake"].execute("UPDATE core.horizon SET materialized = '2001-02-03', announced = '2001-02-03'")

    def horizon(**params: str) -> Any:
        return json.dumps(ask(service, operator, ("GET", "/v1/system"), params=params).json())

    assert "2001-02-03" in horizon(shard="lake")
    assert "2001-02-03" not in horizon()
    refused(ask(service, operator, ("GET", "/v1/system"), params={"shard": "moon"}), 404)
    refused(ask(service, operator, ("GET", "/v1/system"), params={"shard": "lake", "what": "1"}), 422)
    of_all = ask(service, operator, ("GET", "/prometheus")).text
    of_lake = ask(service, operator, ("GET", "/prometheus"), params={"shard": "lake"}).text
    assert "hyperpulse_http_requests_total" in of_all
    assert "hyperpulse_http_requests_total" not in of_lake
    assert "hyperpulse_database_up 1.0" in of_lake
    # Of a tenant's key it is an argument like any other that is not known.
    refused(ask(service, CLINIC, ("GET", "/v1/users"), params={"shard": "lake"}), 422)
    both["lake"].execute(
        "UPDATE core.horizon SET materialized = h, announced = h FROM time_bucket('15 minutes', now()) AS h"
    )


def test_a_tenant_in_a_database_that_the_process_does_not_know_waits(
    service: httpx.Client, both: dict[str, psycopg.Connection]
) -> None:
    problem = refused(service.get("/v1/users", headers=Tenant("lost", 0, 0, 0).headers), 503)
    assert "'nowhere-" in problem["detail"]


def test_what_is_open_ends_when_the_tenant_moves(service: httpx.Client, both: dict[str, psycopg.Connection]) -> None:
    url = str(service.base_url)
    fill(service, CLINIC)
    with listening(url, "/v1/live", CLINIC.headers) as client, listening(url, "/v1/live", LAB.headers) as other:
        heard(client, "state")
        heard(other, "state")
        both["home"].execute("INSERT INTO core.tenant_shard (tenant_id, shard) VALUES ('clinic', 'lake')")
        with pytest.raises(ConnectionClosed) as closed:
            heard(client, "readings")
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1012
        send(service, LAB, ("POST", "/v1/readings"), json=reading_of(LAB, datetime.now(UTC).isoformat()))
        heard(other, "readings")
    with listening(url, "/v1/live", CLINIC.headers) as again:
        assert heard(again, "state")["users"] == []


def test_a_late_write_to_the_old_database_is_refused(
    service: httpx.Client, both: dict[str, psycopg.Connection]
) -> None:
    for tenant in (CLINIC, UNBOUND):
        fill(service, tenant)
    both["home"].execute("SELECT api_internal.close_tenant('clinic')")
    for key, bodies in WRITES.items():
        for body in bodies:
            answer = ask(service, CLINIC, key, **body(CLINIC))
            assert answer.status_code == 503, (key, answer.text)
            assert int(answer.headers["retry-after"]) > 0
            if key[0] != "DELETE":
                send(service, UNBOUND, key, **body(UNBOUND))
    assert ask(service, CLINIC, ("GET", "/v1/users/{user_id:name}/latest")).status_code == 200
    both["home"].execute("SELECT api_internal.open_tenant('clinic')")
    fill(service, CLINIC)
    assert ask(service, CLINIC, ("GET", "/v1/users")).json()["users"][0]["user_id"] == str(USER)
