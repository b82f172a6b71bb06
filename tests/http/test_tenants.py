"""Two tenants with users, devices and events of the same names: at every path, nothing of one shows in the other.

Each operation of the service is in one of the tables below; a new one fails the first test until it is.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, NamedTuple

import httpx
import psycopg
import pytest
from websockets.exceptions import InvalidStatus

from service.app import OPERATIONS
from service.http.tenancy import DEFAULT_TENANT
from service.routes.live import live_routes
from tests.support.files import content
from tests.support.keys import add_key, bearer
from tests.support.live_clients import heard, listening, streaming
from tests.support.service_process import running_service
from tests.support.wire import moment, refused

Key = tuple[str, str]
RANGE = {"start": moment("00:00:00"), "end": moment("23:59:59")}
USER = 101  # as a number, since an earlier path takes no other
LARGE = 20_000  # readings: more than what is read at once
METRIC = {"unit": "mmol/L", "kind": "gauge", "lowest": 0, "highest": 30}
CSV = f"user_id,timestamp,steps\n{USER},{moment()},7\n"


KEYS: dict[str | None, str] = {}  # of each tenant, made for each test


class Tenant(NamedTuple):
    """A tenant, None where the request is not bound, and what only its answers may show."""

    name: str | None
    heart_rate: float
    steps: int
    calories: float

    @property
    def word(self) -> str:
        """A word that is in all names of its own."""
        return f"of-{self.name or DEFAULT_TENANT}"

    @property
    def marks(self) -> list[str]:
        """What shows its data, in whatever answer."""
        return [self.word, *map(str, (self.heart_rate, self.steps, 2 * self.steps, self.calories, 2 * self.calories))]

    @property
    def naming(self) -> dict[str, str]:
        """What names the tenant of events: nothing where the request is bound to it."""
        return {} if self.name else {"tenant_id": DEFAULT_TENANT}

    @property
    def headers(self) -> dict[str, str]:
        return bearer(KEYS[self.name])


CLINIC = Tenant("clinic", 60.3125, 10101, 0.1015625)
LAB = Tenant("lab", 160.6875, 30303, 0.3046875)
UNBOUND = Tenant(None, 110.5625, 40404, 0.5078125)
TENANTS = (CLINIC, LAB, UNBOUND)


def reading_of(tenant: Tenant, at: str, **changes: Any) -> dict[str, Any]:
    """A reading with the values of a tenant."""
    measured = {"heart_rate": tenant.heart_rate, "steps": tenant.steps, "calories": tenant.calories}
    return {"user_id": USER, "device_id": "watch", "timestamp": at} | measured | changes


def event_of(tenant: Tenant, event_id: str = "evt_1", **changes: Any) -> dict[str, Any]:
    """An event whose payload says whose it is."""
    event = {"event_id": event_id, "source": "web", "event_type": "click", "timestamp": moment()}
    return event | {"payload": {"whose": tenant.word}} | tenant.naming | changes


def heart_rate_of(tenant: Tenant, clock: str) -> dict[str, Any]:
    """A reading as an earlier path takes it."""
    return {
        "user_id": str(USER),
        "device_id": "watch",
        "timestamp": moment(clock),
        "heart_rate": tenant.heart_rate,
    }


def noon() -> str:
    """A time zone in which it is about noon, so that today does not end during a test."""
    return f"Etc/GMT{datetime.now(UTC).hour - 12:+d}"


READINGS: Key = ("GET", "/v1/users/{user_id:name}/readings")
# What reads, and the arguments of each question; those of which the answer must show the tenant's own data.
READS: dict[Key, list[dict[str, Any]]] = {
    ("GET", "/v1/users/{user_id:name}/summary"): [
        {"params": RANGE | more} for more in ({}, {"device_id": "watch"}, {"metrics": "all"})
    ],
    ("GET", "/v1/users/{user_id:name}/series"): [
        {"params": RANGE | {"bucket": bucket} | more}
        for bucket in ("auto", "raw", "1h", "1d")
        for more in ({}, {"metrics": "all"})
    ],
    READINGS: [
        {"params": RANGE | more, "headers": {"accept": media_type}}
        for media_type in ("application/json", "text/csv", "application/x-ndjson")
        for more in ({}, {"metrics": "all"})
    ],
    ("GET", "/v1/users/{user_id:name}/latest"): [{}, {"params": {"metrics": "all"}}],
    ("GET", "/v1/users/{user_id:name}/export"): [{}],
    ("GET", "/v1/users/{user_id:name}/devices"): [{"params": RANGE}],
    ("GET", "/v1/users"): [{}],
    ("GET", "/v1/overview"): [{"params": {"tz": noon()}}, {"params": {"tz": noon(), "user_id": str(USER)}}],
    ("GET", "/v1/devices/{device_id:name}"): [{}],
    ("GET", "/v1/metrics"): [{}],
    ("GET", "/v1/events"): [{"params": RANGE}],
    ("GET", "/v1/events/metrics"): [{"params": RANGE | {"bucket_size": size}} for size in ("minute", "day")],
    ("GET", "/events"): [{}, {"params": {"source": "web"}}],
    ("GET", "/metrics"): [{"params": RANGE | {"user_id": str(USER)}}, {"params": {"bucket_size": "hour"}}],
    ("GET", "/metrics/heart-rate"): [{"params": RANGE | {"user_id": str(USER)}}],
}
OF_EVENTS = {("GET", "/v1/events"), ("GET", "/v1/events/metrics"), ("GET", "/events"), ("GET", "/metrics")}
# What writes, each as a tenant does that knows the names of another.
WRITES: dict[Key, list[Any]] = {
    ("POST", "/v1/readings"): [
        lambda tenant: {"json": reading_of(tenant, moment(), heart_rate=99)},  # by the fast path
        lambda tenant: {"json": [reading_of(tenant, moment(), heart_rate=98)], "params": {"atomic": "true"}},
        lambda tenant: {"content": CSV, "headers": {"content-type": "text/csv"}},
        lambda tenant: {
            "content": json.dumps(reading_of(tenant, moment(), heart_rate=97)),
            "headers": {"content-type": "application/x-ndjson"},
        },
    ],
    ("POST", "/v1/import/{format:name}"): [
        lambda tenant: {"params": {"user_id": str(USER)}, "content": content("apple-health/export.xml")}
    ],
    ("POST", "/ingest"): [
        lambda tenant: {"json": reading_of(tenant, moment(), heart_rate=96)},
        lambda tenant: {"json": [reading_of(tenant, moment(), heart_rate=95)] * LARGE},
    ],
    ("POST", "/metrics/heart-rate"): [lambda tenant: {"json": heart_rate_of(tenant, "11:00:00")}],
    ("POST", "/metrics/heart-rate/batch"): [lambda tenant: {"json": {"readings": [heart_rate_of(tenant, "11:30:00")]}}],
    ("POST", "/v1/events"): [lambda tenant: {"json": [event_of(tenant), event_of(tenant, "evt_2")]}],
    ("POST", "/events"): [lambda tenant: {"json": event_of(tenant, "evt_3")}],
    ("POST", "/events/bulk"): [lambda tenant: {"json": {"events": [event_of(tenant), event_of(tenant, "evt_4")]}}],
    ("PUT", "/v1/devices/{device_id:name}"): [lambda tenant: {"json": {"name": "changed", "priority": 7}}],
    ("PUT", "/v1/metrics/{name:name}"): [lambda tenant: {"json": METRIC | {"title": "changed"}}],
    ("DELETE", "/v1/users/{user_id:name}/readings"): [lambda tenant: {"params": RANGE}],
    ("DELETE", "/v1/users/{user_id:name}"): [lambda tenant: {}],
}
# Where what is stored shows to the tenant itself, if not among its readings.
SHOWN: dict[Key, Key] = {
    ("POST", "/v1/import/{format:name}"): ("GET", "/v1/users/{user_id:name}/export"),
    ("POST", "/v1/events"): ("GET", "/v1/events"),
    ("POST", "/events"): ("GET", "/v1/events"),
    ("POST", "/events/bulk"): ("GET", "/v1/events"),
    ("PUT", "/v1/devices/{device_id:name}"): ("GET", "/v1/devices/{device_id:name}"),
    ("PUT", "/v1/metrics/{name:name}"): ("GET", "/v1/metrics"),
}
LIVE = {("GET", "/v1/live")}
SOCKETS = {"/v1/live", "/ws", "/ws/{user_id:name}"}
# What is about the installation as a whole, and shows no data.
OF_THE_INSTALLATION = {("GET", path) for path in ("/health", "/ready", "/v1/system", "/prometheus")}
# What is about the key itself.
OF_THE_KEY = {(method, "/v1/session") for method in ("GET", "POST", "DELETE")} | {("POST", "/v1/tickets")}


def test_every_operation_is_in_this_matrix() -> None:
    known = [*READS, *WRITES, *LIVE, *OF_THE_INSTALLATION, *OF_THE_KEY]
    assert sorted(known) == sorted((operation.method, operation.path) for operation in OPERATIONS)
    assert {route.path for route in live_routes()} == SOCKETS


@pytest.fixture(scope="module")
def service(database_url: str) -> Iterator[httpx.Client]:
    """A client of a service that asks everybody for a key."""
    with running_service(database_url, AUTH="keys") as url, httpx.Client(base_url=url, timeout=30) as client:
        yield client


@pytest.fixture
def filled(service: httpx.Client, db: psycopg.Connection) -> httpx.Client:
    """The same, with data of three tenants under the same names, and of each under one of its own."""
    for tenant in TENANTS:
        KEYS[tenant.name] = add_key(db, ["ingest", "read", "admin"], tenant=tenant.name)
        now = (datetime.now(UTC) - timedelta(minutes=2)).isoformat()
        readings = [reading_of(tenant, at) for at in (moment(), moment("12:30:00"), now)]
        own = reading_of(tenant, moment(), user_id=f"user-{tenant.word}", device_id=f"device-{tenant.word}")
        send(service, tenant, ("POST", "/v1/readings"), json=[*readings, own])
        send(service, tenant, ("PUT", "/v1/devices/{device_id:name}"), json={"name": f"watch-{tenant.word}"})
        send(service, tenant, ("PUT", "/v1/metrics/{name:name}"), json=METRIC | {"title": f"metric-{tenant.word}"})
        events = [event_of(tenant), event_of(tenant, f"evt-{tenant.word}", event_type=f"type-{tenant.word}")]
        send(service, tenant, ("POST", "/v1/events"), json=events)
    return service


def ask(service: httpx.Client, tenant: Tenant, key: Key, **asked: Any) -> httpx.Response:
    """Ask what a tenant asks of an operation."""
    method, path = key
    names = {"user_id": str(USER), "device_id": "watch", "name": "lactate", "format": "auto"}
    for placeholder, name in names.items():
        path = path.replace(f"{{{placeholder}:name}}", name)
    asked["headers"] = asked.get("headers", {}) | tenant.headers
    if key in OF_EVENTS and "user_id" not in asked.get("params", {}):
        asked["params"] = tenant.naming | asked.get("params", {})
    return service.request(method, path, **asked)


def send(service: httpx.Client, tenant: Tenant, key: Key, **asked: Any) -> None:
    answer = ask(service, tenant, key, **asked)
    assert answer.status_code in (200, 201, 202), answer.text


def answers(service: httpx.Client, tenant: Tenant) -> Iterator[tuple[tuple[Key, int], str]]:
    """Read everything that a tenant can read, one after the other."""
    for key, questions in READS.items():
        for number, asked in enumerate(questions):
            answer = ask(service, tenant, key, **asked)
            assert answer.status_code == 200, (key, answer.text)
            text = answer.text
            if key == ("GET", "/v1/overview"):  # whose last half hour goes on
                document = answer.json()
                for user in document["users"]:
                    user["heart_rate"] = [rate for rate in user["heart_rate"] if rate is not None]
                text = json.dumps(document["users"])
            yield (key, number), text


def test_an_answer_shows_the_tenants_own_data_and_no_others(filled: httpx.Client) -> None:
    for tenant in TENANTS:
        others = [mark for other in TENANTS if other != tenant for mark in other.marks]
        for where, text in answers(filled, tenant):
            assert any(mark in text for mark in tenant.marks), (tenant.word, where, text)
            assert not [mark for mark in others if mark in text], (tenant.word, where, text)


def test_what_is_about_the_installation_shows_no_data(filled: httpx.Client) -> None:
    for key in OF_THE_INSTALLATION:
        text = ask(filled, CLINIC, key).text
        assert not [mark for tenant in TENANTS for mark in tenant.marks if mark in text], key


def test_a_write_changes_no_answer_of_another_tenant(filled: httpx.Client, subtests: pytest.Subtests) -> None:
    """Others are asked behind all that stores and behind each deletion, as no write takes back what another changed."""
    others = (LAB, UNBOUND)
    before = {tenant: dict(answers(filled, tenant)) for tenant in others}

    def others_are_answered_as_before() -> None:
        for tenant in others:
            assert dict(answers(filled, tenant)) == before[tenant]

    def shown_by(key: Key) -> str:
        shown = SHOWN.get(key, READINGS)
        return ask(filled, CLINIC, shown, **READS[shown][0]).text

    storing = [(key, body) for key, bodies in WRITES.items() if key[0] != "DELETE" for body in bodies]
    deleting = [(key, body) for key, bodies in WRITES.items() if key[0] == "DELETE" for body in bodies]
    for number, (key, body) in enumerate(storing):
        with subtests.test(operation=" ".join(key), number=number):
            unchanged = shown_by(key)
            send(filled, CLINIC, key, **body(CLINIC))
            assert shown_by(key) != unchanged
    others_are_answered_as_before()
    for key, body in deleting:
        with subtests.test(operation=" ".join(key)):
            send(filled, CLINIC, ("POST", "/v1/readings"), json=reading_of(CLINIC, moment()))
            send(filled, CLINIC, key, **body(CLINIC))
            assert ask(filled, CLINIC, READINGS, params=RANGE).status_code == 404
            others_are_answered_as_before()


def test_names_that_only_another_tenant_has_are_unknown(filled: httpx.Client) -> None:
    theirs = f"user-{LAB.word}"
    for path in ("latest", "summary", "readings", "devices"):
        asked = {} if path == "latest" else {"params": RANGE}
        answer = filled.get(f"/v1/users/{theirs}/{path}", headers=CLINIC.headers, **asked)  # type: ignore[arg-type]
        refused(answer, 404)
    refused(filled.get(f"/v1/devices/device-{LAB.word}", headers=CLINIC.headers), 404)
    erased = filled.delete(f"/v1/users/{theirs}", headers=CLINIC.headers).json()
    assert (erased["readings"], erased["names"]) == (0, 0)
    assert filled.get(f"/v1/users/{theirs}/latest", headers=LAB.headers).status_code == 200


# Events, which may name a tenant ----------------------------------------------------------------------------


def test_a_question_may_repeat_the_bound_tenant_only(filled: httpx.Client) -> None:
    for key in sorted(OF_EVENTS):
        asked = RANGE if "v1" in key[1] else {}
        absent = ask(filled, CLINIC, key, params=asked | ({"bucket_size": "minute"} if "metrics" in key[1] else {}))
        named = ask(filled, CLINIC, key, params=asked | {"tenant_id": "clinic"})
        assert absent.status_code == named.status_code == 200, key
        assert absent.text == named.text, key
        for other in ("lab", DEFAULT_TENANT, "unknown"):
            problem = refused(ask(filled, CLINIC, key, params=asked | {"tenant_id": other}), 403)
            assert f"tenant_id is {other!r}" in problem["detail"]
        assert (
            ask(filled, UNBOUND, key, params=asked | {"tenant_id": "lab"}).text
            == ask(filled, LAB, key, params=asked | {"tenant_id": "lab"}).text
        ), key
        refused(filled.get(key[1], params=asked, headers=UNBOUND.headers), 422)


@pytest.mark.parametrize("path", ["/v1/events", "/events", "/events/bulk"])
def test_an_event_may_repeat_the_bound_tenant_only(filled: httpx.Client, db: psycopg.Connection, path: str) -> None:
    def post(tenant: Tenant, *events: dict[str, Any]) -> httpx.Response:
        body = {"events": list(events)} if path != "/events" else events[-1]
        return ask(filled, tenant, ("POST", path), json=body)

    def stored() -> list[tuple[Any, ...]]:
        return db.execute("SELECT tenant_id, event_id FROM api.events WHERE event_id LIKE 'new%' ORDER BY 2").fetchall()

    for other in ("lab", DEFAULT_TENANT, "newcomer"):
        # Among others, too: nothing of the request is stored.
        answer = post(CLINIC, event_of(CLINIC, "new_0"), event_of(CLINIC, "new_1", tenant_id=other))
        assert f"tenant_id is {other!r}" in refused(answer, 403)["detail"]
    assert stored() == []
    assert post(CLINIC, event_of(CLINIC, "new_2")).status_code in (200, 201)
    assert post(CLINIC, event_of(CLINIC, "new_3", tenant_id="clinic")).status_code in (200, 201)
    assert stored() == [("clinic", "new_2"), ("clinic", "new_3")]
    # Where a request is not bound, it names the tenant, which may be a new one.
    nameless = {name: value for name, value in event_of(UNBOUND, "new_4").items() if name != "tenant_id"}
    assert post(UNBOUND, nameless).status_code == 422
    assert post(UNBOUND, event_of(UNBOUND, "new_5", tenant_id="newcomer")).status_code in (200, 201)
    assert stored()[2:] == [("newcomer", "new_5")]


def test_a_large_upload_that_names_another_tenant_ends_there(filled: httpx.Client, db: psycopg.Connection) -> None:
    padding = {"padding": "x" * 1000}
    events = [event_of(CLINIC, f"new_{number:05}", payload=padding) for number in range(4000)]
    events[-1]["tenant_id"] = "lab"
    answer = ask(filled, CLINIC, ("POST", "/v1/events"), json=events)
    assert "tenant_id is 'lab'" in refused(answer, 403)["detail"]
    tenants = db.execute("SELECT DISTINCT tenant_id FROM api.events WHERE event_id LIKE 'new%'").fetchall()
    assert tenants in ([], [("clinic",)])


# Live -------------------------------------------------------------------------------------------------------


KINDS = ("/v1/live?", f"/v1/live?user_id={USER}&", "/ws?", f"/ws/{USER}?", "events")


@contextmanager
def hearing(url: str, kind: str, tenant: Tenant, argument: str = "") -> Iterator[Callable[..., dict[str, Any]]]:
    """Listen as a tenant, by a kind of client; yields what returns the next message."""
    if kind == "events":
        with streaming(url, f"/v1/live?{argument}", tenant.headers) as stream:
            yield stream.next
    else:
        with listening(url, kind + argument, tenant.headers) as socket:
            yield partial(heard, socket)


@pytest.mark.parametrize("kind", KINDS)
def test_a_client_hears_of_its_tenant_only(filled: httpx.Client, kind: str) -> None:
    with ExitStack() as stack:
        url = str(filled.base_url)
        listeners = [stack.enter_context(hearing(url, kind, tenant)) for tenant in (CLINIC, LAB)]
        for tenant, hear in zip((CLINIC, LAB), listeners, strict=True):
            other = LAB if tenant is CLINIC else CLINIC
            state = json.dumps(hear("state"))
            assert str(tenant.heart_rate) in state
            assert not [mark for mark in other.marks if mark in state]
        # The clinic's is written first, and the lab hears of its own alone.
        later = datetime.now(UTC).isoformat()
        for tenant in (CLINIC, LAB):
            send(filled, tenant, ("POST", "/v1/readings"), json=reading_of(tenant, later, calories=None))
        for tenant, hear in zip((CLINIC, LAB), listeners, strict=True):
            other = LAB if tenant is CLINIC else CLINIC
            update = hear()
            assert (update["type"], update["user_id"], update["count"]) == ("readings", str(USER), 1)
            assert update["latest"]["heart_rate"]["value"] == tenant.heart_rate
            assert not [mark for mark in other.marks if mark in json.dumps(update)]


@pytest.mark.parametrize("kind", KINDS)
def test_a_key_for_all_tenants_names_whose_users_it_follows(filled: httpx.Client, kind: str) -> None:
    url = str(filled.base_url)
    for tenant, argument in ((LAB, "tenant_id=lab"), (UNBOUND, f"tenant_id={DEFAULT_TENANT}"), (UNBOUND, "")):
        with hearing(url, kind, UNBOUND, argument) as hear:
            state = json.dumps(hear("state"))
        assert str(tenant.heart_rate) in state
        others = [mark for other in TENANTS if other != tenant for mark in other.marks]
        assert not [mark for mark in others if mark in state]


@pytest.mark.parametrize("kind", KINDS[:-1])
def test_a_client_that_is_bound_may_repeat_its_tenant_only(filled: httpx.Client, kind: str) -> None:
    url = str(filled.base_url)
    with hearing(url, kind, CLINIC, "tenant_id=clinic") as hear:
        assert str(CLINIC.heart_rate) in json.dumps(hear("state"))
    with pytest.raises(InvalidStatus) as caught, hearing(url, kind, CLINIC, "tenant_id=lab"):
        pass
    assert caught.value.response.status_code == 403
    assert b"tenant_id is 'lab'" in (caught.value.response.body or b"")
    path = f"/v1/live?{kind.partition('?')[2]}tenant_id=lab"
    refused(filled.get(path, headers={"Accept": "text/event-stream"} | CLINIC.headers), 403)
