"""`GET /v1/live?metrics=…`: states and updates have the latest values of any metric, by the rule of `GET …/latest`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from typing import Any

import httpx
import psycopg
import pytest
from websockets.exceptions import InvalidStatus

from service.answers.metrics_asked import MetricsAsked
from service.database.pool import fetch_all, make_pool
from service.http.tenancy import DEFAULT_TENANT
from service.live import measurements
from service.live.hub import Hub, running_hub
from service.settings import Settings
from tests.support.live_clients import EVENTS, Ear, heard, listening, streaming
from tests.support.wire import PATIENCE, in_path, moment, post

LACTATE = {"unit": "mmol/L", "kind": "gauge", "lowest": 0, "highest": 30}
ALL = MetricsAsked(None)
VARIABILITY = MetricsAsked(("hrv_rmssd",))


def reading(clock: str = "10:00:00", user_id: str = "ada", **fields: Any) -> dict[str, Any]:
    """Make a reading of what it is given, and of nothing else."""
    return {"user_id": user_id, "timestamp": moment(clock), **fields}


def latest(client: httpx.Client, user_id: str, metrics: str) -> dict[str, Any] | None:
    """The latest values as they are answered, in the shape of a message; None where there are none."""
    answer = client.get(f"/v1/users/{in_path(user_id)}/latest", params={"metrics": metrics})
    if answer.status_code == 404:
        return None
    body = dict(answer.raise_for_status().json())
    del body["user_id"]
    return body


@pytest.mark.parametrize("metrics", ["lactate", "hrv_rmssd,lactate,steps,body_weight", "heart_rate", "all"])
def test_a_state_and_its_updates_have_the_metrics_asked_for(client: httpx.Client, base_url: str, metrics: str) -> None:
    assert client.put("/v1/metrics/lactate", json=LACTATE).status_code == 200
    sent = [
        reading("10:00:00", hrv_rmssd=41, lactate=1.5),
        reading("10:01:00", hrv_rmssd=42, device_id="watch"),
        reading("10:01:00", "bob", lactate=2.5),
        {"user_id": "ada", "timestamp": moment("09:00:00"), "end": moment("09:10:00"), "distance": 700, "steps": 90},
    ]
    post(client, "/v1/readings", sent)
    path = f"/v1/live?user_id=bob&user_id=ada&user_id=eve&metrics={metrics}"
    with listening(base_url, path) as socket, streaming(base_url, path) as stream:
        state = heard(socket)
        assert state == stream.next()
        assert state["complete"] is True
        told = {user["user_id"]: user["latest"] for user in state["users"]}
        assert told == {user_id: latest(client, user_id, metrics) for user_id in ("bob", "ada", "eve")}
        assert told["eve"] is None
        for further in (
            reading("10:02:00", hrv_rmssd=43, lactate=1.75),
            reading("10:02:00", hrv_rmssd=44, lactate=1.5),
            reading("09:59:00", lactate=9),
            reading("10:03:00", heart_rate=60, steps=7),
            {"user_id": "ada", "timestamp": moment("10:03:00"), "end": moment("10:09:00"), "distance": 5, "steps": 9},
        ):
            post(client, "/v1/readings", further)
            update = heard(socket, "readings")
            assert (update["user_id"], update["count"]) == ("ada", stream.next("readings")["count"])
            assert update["latest"] == latest(client, "ada", metrics)


def test_who_asks_for_no_metrics_gets_what_it_got(client: httpx.Client, base_url: str) -> None:
    post(client, "/v1/readings", [reading("10:00:00", hrv_rmssd=41), reading("10:00:00", "bob", hrv_rmssd=41, steps=4)])
    bob = {
        "last_seen": moment(),
        "heart_rate": None,
        "steps": {"value": 4, "timestamp": moment(), "device_id": "default"},
        "calories": None,
    }
    with listening(base_url, "/v1/live?metrics=all") as asking:
        heard(asking)
        with (
            listening(base_url, "/v1/live?user_id=ada&user_id=bob") as named,
            listening(base_url, "/ws/bob") as earlier,
        ):
            users = [{"user_id": "ada", "latest": None}, {"user_id": "bob", "latest": bob}]
            assert heard(named) == {"type": "state", "users": users, "complete": True}
            assert heard(earlier) == {"type": "state", "user_id": "bob", "latest": bob}
            with listening(base_url, "/ws?metrics=all") as everyone:
                assert heard(everyone) == {"type": "state", "users": users[1:], "complete": True}
                post(client, "/v1/readings", reading("10:00:01", "bob", hrv_rmssd=42))
                update = {"type": "readings", "user_id": "bob", "latest": bob, "count": 1}
                update |= {"from": moment("10:00:01"), "to": moment("10:00:01")}
                assert [heard(each, "readings") for each in (named, earlier, everyone)] == [update] * 3
        assert heard(asking, "readings")["latest"]["metrics"]["hrv_rmssd"]["value"] == 42


def test_a_state_of_everyone_has_users_of_whom_only_other_metrics_were_measured(
    client: httpx.Client, base_url: str
) -> None:
    post(client, "/v1/readings", [reading(user_id="ada", hrv_rmssd=41), reading(user_id="bob", steps=4)])
    with (
        listening(base_url, "/v1/live?metrics=hrv_rmssd") as some,
        listening(base_url, "/v1/live?metrics=all") as every,
    ):
        for socket, metrics in ((some, "hrv_rmssd"), (every, "all")):
            users = [{"user_id": user_id, "latest": latest(client, user_id, metrics)} for user_id in ("ada", "bob")]
            assert heard(socket) == {"type": "state", "users": users, "complete": True}


def test_a_state_that_replaces_another_has_the_metrics(client: httpx.Client, base_url: str) -> None:
    sent = [reading(device_id=device_id, hrv_rmssd=rate) for device_id, rate in (("watch", 41), ("phone", 51))]
    post(client, "/v1/readings", sent)
    with listening(base_url, "/v1/live?user_id=ada&metrics=hrv_rmssd") as socket:
        assert heard(socket)["users"][0]["latest"]["metrics"]["hrv_rmssd"]["value"] == 41
        assert client.put("/v1/devices/phone", json={"priority": 1}).status_code == 200
        # What was written before is perhaps announced only now, and then there is one more.
        while heard(socket, "state")["users"][0]["latest"]["metrics"]["hrv_rmssd"]["value"] != 51:
            pass


@pytest.mark.parametrize("wrong", ["", "spo3", "spo2,,steps", "spo2,lactates"])
def test_names_of_no_metric_are_refused_as_by_other_answers(client: httpx.Client, base_url: str, wrong: str) -> None:
    with client.stream("GET", "/v1/live", params={"metrics": wrong}, headers=EVENTS) as answer:
        assert answer.status_code == 422
        errors = json.loads(answer.read())["errors"]
    assert errors == client.get("/v1/users/ada/latest", params={"metrics": wrong}).json()["errors"]
    with pytest.raises(InvalidStatus) as refusal, listening(base_url, f"/v1/live?metrics={wrong}"):
        pass
    assert refusal.value.response.status_code == 422


# What it costs ----------------------------------------------------------------------------------------------


def run(url: str, written: Callable[[], Any], story: Callable[[Hub], Awaitable[None]]) -> None:
    """Let something happen to a hub that has taken notice of what was written before."""

    async def tell() -> None:
        settings = Settings(url)
        async with make_pool(settings) as pool, running_hub(settings, pool) as hub:
            await hub.listening.wait()
            await asyncio.to_thread(written)
            async with asyncio.timeout(PATIENCE):
                while not hub.notifications:
                    await asyncio.sleep(0.005)
            await story(hub)

    asyncio.run(tell())


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many users each query for other metrics was for."""
    queries: list[int] = []

    async def counted(*arguments: Any, **columns: Any) -> list[dict[str, Any]]:
        queries.append(len(columns["user_ids"]))
        return await fetch_all(*arguments, **columns)

    monkeypatch.setattr(measurements, "fetch_all", counted)
    return queries


async def all_heard(ears: list[Ear], number: int = 1) -> None:
    """Wait until each has heard so many messages."""
    async with asyncio.timeout(PATIENCE):
        while not all(len(ear.heard("state", "readings")) >= number for ear in ears):
            await asyncio.sleep(0.005)


def test_clients_that_come_at_once_share_queries_of_bounded_size(
    client: httpx.Client, database_url: str, asked: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    people = [f"user_{n}" for n in range(5)]
    sent = [reading(user_id=each, hrv_rmssd=41, spo2=97, vo2max=40) for each in people]
    monkeypatch.setattr(measurements, "MAX_SERIES", 7)

    async def come_at_once(hub: Hub) -> None:
        ears = [Ear() for _ in range(100)]
        with ExitStack() as stack:
            for number, ear in enumerate(ears):
                metrics = ALL if number % 2 else VARIABILITY
                stack.enter_context(hub.subscribed(ear, DEFAULT_TENANT, [people[number % 5]], metrics))
            await all_heard(ears)
        for number, ear in enumerate(ears):
            (state,) = ear.heard("state")
            assert state["complete"]
            (user,) = state["users"]
            assert user["user_id"] == people[number % 5]
            named = ["hrv_rmssd", "spo2", "vo2max"] if number % 2 else ["hrv_rmssd"]
            assert sorted(user["latest"]["metrics"]) == named
        # All of them ask for five users with three series each, of which two are within bounds.
        assert asked == [5, 3, 1]

    run(database_url, lambda: post(client, "/v1/readings", sent), come_at_once)


def test_of_a_client_that_names_too_much_the_first_users_are_in_its_state(
    client: httpx.Client, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = [f"user_{n}" for n in range(4)]
    sent = [reading(user_id=each, hrv_rmssd=41, spo2=97) for each in people]
    monkeypatch.setattr(measurements, "MAX_SERIES", 4)

    async def listen(hub: Hub) -> None:
        named, everyone, beyond = Ear(), Ear(), Ear()
        with (
            hub.subscribed(named, DEFAULT_TENANT, people, ALL),
            hub.subscribed(everyone, DEFAULT_TENANT, None, ALL),
            hub.subscribed(beyond, DEFAULT_TENANT, [people[3]], ALL),
        ):
            await all_heard([named, everyone, beyond])
            for ear in (named, everyone):
                (state,) = ear.heard("state")
                assert ([user["user_id"] for user in state["users"]], state["complete"]) == (people[:2], False)
            # Of the others, updates arrive.
            response = await asyncio.to_thread(
                client.post, "/v1/readings", json=[reading("10:00:01", user_id=each, spo2=98) for each in people]
            )
            assert response.status_code == 200
            await all_heard([named, everyone], 5)
            for ear in (named, everyone):
                told = {each["user_id"]: each["latest"]["metrics"]["spo2"]["value"] for each in ear.heard("readings")}
                assert told == dict.fromkeys(people, 98)

    run(database_url, lambda: post(client, "/v1/readings", sent), listen)


def test_users_whom_only_others_follow_are_not_read(
    client: httpx.Client, database_url: str, asked: list[int], db: psycopg.Connection
) -> None:
    sent = [reading(user_id=each, hrv_rmssd=41) for each in ("ada", "bob")]

    async def listen(hub: Hub) -> None:
        plain, asking = Ear(), Ear()
        with (
            hub.subscribed(plain, DEFAULT_TENANT, None),
            hub.subscribed(asking, DEFAULT_TENANT, ["ada"], VARIABILITY),
        ):
            await all_heard([plain, asking])
            await asyncio.to_thread(
                client.post,
                "/v1/readings",
                json=[reading("10:00:01", user_id=each, steps=1) for each in ("ada", "bob")],
            )
            await all_heard([plain], 3)
            await all_heard([asking], 2)
        assert asked == [1, 1]
        assert [each["user_id"] for each in asking.heard("readings")] == ["ada"]
        assert {each["user_id"] for each in plain.heard("readings")} == {"ada", "bob"}
        assert all("metrics" not in each["latest"] for each in plain.heard("readings"))

    run(database_url, lambda: post(client, "/v1/readings", sent), listen)
