"""`GET /v1/live`: the state first, then what happens, over a WebSocket and as an event stream."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta

import httpx
import psycopg
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from service.database.pool import make_pool
from service.http.tenancy import DEFAULT_TENANT
from service.live.hub import running_hub
from service.live.pacing import MIN_PAUSE
from service.settings import Settings
from tests.http.wreckage import Fuse
from tests.support.live_clients import EVENTS, Deaf, Ear, closing_in, heard, listening, streaming
from tests.support.service_process import running_service
from tests.support.wire import PATIENCE, in_path, moment, post, reading, refused, send

LATEST = {
    "last_seen": moment(),
    "heart_rate": {"value": 75.0, "timestamp": moment(), "device_id": "default"},
    "steps": None,
    "calories": None,
}


@pytest.fixture(scope="module")
def quick_url(database_url: str) -> Iterator[str]:
    """A service that loses patience within seconds, and has room for three."""
    with running_service(database_url, LIVE_HEARTBEAT_SECONDS="2", LIVE_SLOW_SECONDS="1", MAX_LIVE_CLIENTS="3") as url:
        yield url


# What is told -----------------------------------------------------------------------------------------------


def test_the_state_of_each_user_asked_for_comes_first(client: httpx.Client, base_url: str) -> None:
    post(client, "/v1/readings", [reading(user_id="ada"), reading(user_id="bob")])
    with listening(base_url, "/v1/live?user_id=nobody&user_id=ada&user_id=nobody") as socket:
        users = [{"user_id": "nobody", "latest": None}, {"user_id": "ada", "latest": LATEST}]
        assert heard(socket) == {"type": "state", "users": users, "complete": True}


def test_without_users_everyone_is_told_of(client: httpx.Client, base_url: str) -> None:
    post(client, "/v1/readings", [reading(user_id="ada"), reading(user_id="bob")])
    with listening(base_url) as socket:
        state = heard(socket)
        assert sorted(user["user_id"] for user in state["users"]) == ["ada", "bob"]
        assert state["complete"] is True
        post(client, "/v1/readings", reading(user_id="eve"))
        # Of what the state holds may be told once more.
        while heard(socket)["user_id"] != "eve":
            pass


@pytest.mark.parametrize("user_id", ["ada", "a b&c=d", "ü+%41", "日本語"])
def test_an_event_stream_says_the_same_as_a_socket(client: httpx.Client, base_url: str, user_id: str) -> None:
    path = f"/v1/live?user_id={in_path(user_id)}&user_id=bob"
    with listening(base_url, path) as socket, streaming(base_url, path) as stream:
        told = [(heard(socket), stream.next())]
        for who in (user_id, "bob"):
            post(client, "/v1/readings", [reading(clock, who, heart_rate=80) for clock in ("10:00:00", "10:00:09")])
            told.append((heard(socket), stream.next()))
        assert stream.ids == sorted(set(stream.ids))
        assert stream.retry
    assert all(one == other for one, other in told)
    assert told[1][0] == {
        "type": "readings",
        "user_id": user_id,
        "latest": {
            "last_seen": moment("10:00:09"),
            "heart_rate": {"value": 80.0, "timestamp": moment("10:00:09"), "device_id": "default"},
            "steps": None,
            "calories": None,
        },
        "count": 2,
        "from": moment("10:00:00"),
        "to": moment("10:00:09"),
    }


def test_a_write_is_told_of_within_a_second_whoever_wrote(
    client: httpx.Client, base_url: str, db: psycopg.Connection
) -> None:
    with listening(base_url, "/v1/live?user_id=ada") as socket:
        heard(socket)
        post(client, "/v1/readings", reading("10:00:00"))
        assert heard(socket, timeout=1)["to"] == moment("10:00:00")
        db.execute("INSERT INTO api.readings (user_id, ts, heart_rate) VALUES ('ada', '2024-01-15 10:00:01Z', 80)")
        assert heard(socket, timeout=1)["latest"]["heart_rate"]["value"] == 80
        db.execute("DELETE FROM api.readings WHERE user_id = 'ada'")
        gone = heard(socket, timeout=1)
        assert (gone["latest"], gone["count"]) == (None, 2)


def test_an_event_stream_is_not_held_back_on_its_way(client: httpx.Client, base_url: str) -> None:
    post(client, "/v1/readings", [reading(user_id=f"user_{n}") for n in range(20)])
    with streaming(base_url, "/v1/live/", {"Accept-Encoding": "gzip", "Last-Event-ID": "7"}) as stream:
        assert len(stream.next()["users"]) == 20
        headers = stream.answer.headers
    assert headers["content-type"].split(";")[0] == "text/event-stream"
    assert "content-encoding" not in headers
    assert "content-length" not in headers
    assert "no-cache" in headers["cache-control"]
    assert client.head("/v1/live", headers=EVENTS).status_code == 200


def test_under_load_each_reading_is_told_of_once_by_a_message_or_a_state(client: httpx.Client, base_url: str) -> None:
    people, batches, each = 50, 200, 500
    start = datetime(2024, 1, 15, tzinfo=UTC)

    def body(number: int) -> bytes:
        moments = [start + timedelta(seconds=number, milliseconds=n) for n in range(each)]
        readings = [
            {"user_id": f"user_{n % people}", "timestamp": at.isoformat(), "steps": n} for n, at in enumerate(moments)
        ]
        return json.dumps(readings).encode()

    bodies = [body(number) for number in range(batches)]
    latest: dict[str, str] = {}
    with listening(base_url) as socket, ThreadPoolExecutor(8) as senders:
        heard(socket)
        answers = senders.map(lambda content: send(client, "/v1/readings", content).status_code, bodies)
        counted = 0
        while counted < batches * each:
            # Readings press, at least at times, and then states stand for them.
            message = heard(socket, "state", "readings")
            counted += message["count"]
            latest |= {user["user_id"]: user["latest"]["last_seen"] for user in message.get("users", [message])}
        assert set(answers) == {200}
    assert counted == batches * each
    assert len(latest) == people
    assert {at[: len("2024-01-15T00:03:19")] for at in latest.values()} == {moment("00:03:19")[:-1]}


def test_what_cannot_be_named_becomes_the_state(client: httpx.Client, base_url: str, db: psycopg.Connection) -> None:
    with listening(base_url, "/v1/live?user_id=ada") as socket, listening(base_url, "/ws/ada") as earlier:
        heard(socket), heard(earlier)
        post(client, "/v1/readings", reading())
        heard(socket), heard(earlier)
        for payload in ("many", "nonsense"):
            db.execute("SELECT api_internal.notify('readings', %s)", [payload])
            assert heard(socket) == {"type": "state", "users": [{"user_id": "ada", "latest": LATEST}], "complete": True}
            assert heard(earlier) == {"type": "state", "user_id": "ada", "latest": LATEST}


def test_an_erased_user_is_gone_for_those_who_listen(client: httpx.Client, base_url: str) -> None:
    post(client, "/v1/readings", reading())
    with listening(base_url, "/v1/live?user_id=ada") as socket:
        assert heard(socket)["users"][0]["latest"] == LATEST
        assert client.delete("/v1/users/ada").status_code == 200
        assert heard(socket, "state")["users"] == [{"user_id": "ada", "latest": None}]


# What is refused --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "query",
    ["user_id=", "user_id=" + "x" * 129, "user_id=%00", "user_id=a&" * 1001, "x=1&" * 3000, "user_id=ada&user_id="],
    ids=["empty", "long", "nul", "many", "arguments", "second"],
)
def test_a_bad_question_is_refused(visitor: httpx.Client, base_url: str, query: str) -> None:
    refused(visitor.get(f"/v1/live?{query}", headers=EVENTS), 422)
    with pytest.raises(InvalidStatus) as caught, listening(base_url, f"/v1/live?{query}"):
        pass
    assert caught.value.response.status_code == 422


@pytest.mark.parametrize("accept", ["*/*", "application/json", "text/event-stream;q=0", "text/html, text/*", ""])
def test_a_request_for_neither_is_refused(visitor: httpx.Client, accept: str) -> None:
    assert "text/event-stream" in refused(visitor.get("/v1/live", headers={"Accept": accept}), 406)["detail"]


def test_thousands_of_users_can_be_asked_for(client: httpx.Client, base_url: str) -> None:
    path = "/v1/live?" + "&".join(f"user_id=user_{n}" for n in range(1000))
    with ExitStack() as opened:
        sockets = [opened.enter_context(listening(base_url, path)) for _ in range(3)]
        assert [len(heard(socket)["users"]) for socket in sockets] == [1000] * 3
        post(client, "/v1/readings", [reading(user_id=f"user_{n}") for n in (7, 500)])
        for socket in sockets:
            assert {heard(socket)["user_id"], heard(socket)["user_id"]} == {"user_7", "user_500"}


def test_a_question_that_is_far_too_long_is_refused(base_url: str) -> None:
    with pytest.raises(InvalidStatus) as caught, listening(base_url, "/v1/live?user_id=" + "x" * 300_000):
        pass
    assert caught.value.response.status_code == 414


def test_one_client_too_many_is_told_to_come_back(client: httpx.Client, quick_url: str) -> None:
    with ExitStack() as full:
        paths = ("/v1/live", "/ws", "/ws/ada")
        for path in paths:
            heard(full.enter_context(listening(quick_url, path)))
        for path in paths:
            with pytest.raises(InvalidStatus) as caught, listening(quick_url, path):
                pass
            assert caught.value.response.status_code == 503
            assert int(caught.value.response.headers["Retry-After"]) > 0
        answer = httpx.get(f"{quick_url}/v1/live", headers=EVENTS)
        refused(answer, 503)
        assert int(answer.headers["retry-after"]) > 0
    with until_admitted(quick_url):
        pass


@contextmanager
def until_admitted(url: str) -> Iterator[None]:
    """Listen as soon as there is room."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            with listening(url):
                yield
            return
        except InvalidStatus:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def has_room(url: str) -> bool:
    """Return whether a further client is admitted."""
    try:
        with listening(url):
            return True
    except InvalidStatus:
        return False


# Clients that do not behave ---------------------------------------------------------------------------------


def test_a_slow_client_is_told_and_dropped_and_others_hear_on(
    client: httpx.Client, quick_url: str, db: psycopg.Connection
) -> None:
    long = "\U0001f6b4" * 100
    post(client, "/v1/readings", [reading(user_id=f"{n}{long}", device_id=long) for n in range(150)])
    with (
        Deaf(quick_url, "/v1/live", events=False) as socket,
        Deaf(quick_url, "/v1/live", events=True) as stream,
        ThreadPoolExecutor() as readers,
        listening(quick_url) as other,
    ):
        assert heard(other)["type"] == "state"
        for _ in range(8):
            # More than 100 kB each time: more in all than two sockets hold.
            db.execute("SELECT api_internal.notify('readings', 'many')")
            assert heard(other, "state")["complete"] is True
            if has_room(quick_url):
                # Who was given up is told so for five seconds, of which a busy machine needs some for each time.
                break
        # Room for two more means that both were given up; only then do they read again.
        with ExitStack() as opened:
            for _ in range(2):
                opened.enter_context(until_admitted(quick_url))
        # What begins like this is a close frame; a client that answers it need not wait for the end.
        ends = [readers.submit(socket.everything, b"\x03\xf5Too slow"), readers.submit(stream.everything)]
        for end in ends:
            closing = closing_in(end.result(timeout=PATIENCE))
            assert closing["code"] == 1013
            assert "slow" in closing["reason"].lower()
        assert b"\x03\xf5Too slow" in ends[0].result()
        assert ends[1].result().endswith(b"\r\n0\r\n\r\n")
        post(client, "/v1/readings", reading())
        assert heard(other, "readings")["user_id"] == "ada"


def test_what_a_client_says_is_not_looked_at_until_it_is_too_much(client: httpx.Client, base_url: str) -> None:
    with listening(base_url, "/v1/live?user_id=ada") as socket:
        heard(socket)
        for noise in ("ping", "{", b"\xff\xfe", ""):
            socket.send(noise)
        post(client, "/v1/readings", reading())
        assert heard(socket)["user_id"] == "ada"
        with pytest.raises(ConnectionClosed) as caught:
            for _ in range(100_000):
                socket.send("ping")
        assert caught.value.rcvd is not None
        assert caught.value.rcvd.code == 1008


def test_there_are_signs_of_life_and_the_dead_are_dropped(client: httpx.Client, quick_url: str) -> None:
    with (
        Deaf(quick_url, "/v1/live?user_id=ada", events=False) as dead,
        listening(quick_url, "/v1/live?user_id=ada") as socket,
        streaming(quick_url, "/v1/live?user_id=ada") as stream,
    ):
        opened = time.monotonic()
        assert heard(socket, "heartbeat")["time"].endswith("Z")
        assert time.monotonic() - opened < 5
        stream.next("state")
        # It reads all that comes and answers no ping.
        assert b"keepalive" in dead.everything()
        post(client, "/v1/readings", reading())
        assert stream.next()["type"] == "readings"
        assert re.match(r" \d{4}-.*Z", stream.comments[0])
        assert heard(socket, "readings")["user_id"] == "ada"


# When something else ends -----------------------------------------------------------------------------------


@pytest.mark.native
def test_a_lost_connection_is_opened_again_and_everybody_gets_the_state(
    client: httpx.Client, base_url: str, db: psycopg.Connection
) -> None:
    with listening(base_url, "/v1/live?user_id=ada") as socket, listening(base_url, "/ws/ada") as earlier:
        heard(socket), heard(earlier)
        ended = db.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE application_name = 'hyperpulse live' AND datname = current_database()"
        ).fetchone()
        assert ended is not None
        assert ended[0] >= 1
        assert heard(socket)["type"] == "interrupted"
        assert heard(socket)["type"] == "state"
        assert heard(earlier)["type"] == "state"
        post(client, "/v1/readings", reading())
        assert heard(socket)["user_id"] == heard(earlier)["user_id"] == "ada"


def test_while_the_database_is_away_clients_wait_and_new_ones_are_refused(
    client: httpx.Client, database_url: str, db: psycopg.Connection
) -> None:
    path = "/v1/live?user_id=ada"
    with (
        Fuse(database_url) as fuse,
        running_service(fuse.url) as url,
        listening(url, path) as socket,
        streaming(url, path) as stream,
    ):
        heard(socket), stream.next()
        fuse.blow()
        assert heard(socket)["type"] == stream.next()["type"] == "interrupted"
        refused(httpx.get(f"{url}/v1/live", headers=EVENTS, timeout=PATIENCE), 503)
        post(client, "/v1/readings", reading())
        fuse.mend()
        assert heard(socket) == stream.next()
        post(client, "/v1/readings", reading("10:00:07"))
        assert heard(socket)["to"] == stream.next()["to"] == moment("10:00:07")


def test_a_service_that_stops_says_so(client: httpx.Client, database_url: str) -> None:
    with ExitStack() as service, ExitStack() as clients, ThreadPoolExecutor() as aside:
        url = service.enter_context(running_service(database_url))
        socket = clients.enter_context(listening(url))
        earlier = clients.enter_context(listening(url, "/ws"))
        stream = clients.enter_context(streaming(url))
        heard(socket), heard(earlier), stream.next()
        began = time.monotonic()
        stopped = aside.submit(service.close)
        assert heard(socket)["code"] == stream.next()["code"] == 1001
        with pytest.raises(StopIteration):
            stream.next()
        for closed in (socket, earlier):
            with pytest.raises(ConnectionClosed) as caught:
                heard(closed)
            assert caught.value.rcvd is not None
            assert caught.value.rcvd.code == 1001
        stopped.result()
        assert time.monotonic() - began < 2, "nobody had to be waited for"


# The hub itself ---------------------------------------------------------------------------------------------


def test_commits_of_a_moment_are_one_question_and_none_where_nobody_listens(
    client: httpx.Client, database_url: str, db: psycopg.Connection
) -> None:
    def write(times: int) -> None:
        for _ in range(times):
            db.execute("UPDATE api.readings SET heart_rate = 230 - heart_rate WHERE user_id = 'ada'")

    async def until(true: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not true():
                await asyncio.sleep(0.01)

    async def listen() -> None:
        settings = Settings(database_url)
        one, two, other = Ear(), Ear(), Ear()
        async with make_pool(settings) as pool, running_hub(settings, pool) as hub:
            await hub.listening.wait()
            await asyncio.to_thread(write, 20)
            await until(lambda: hub.notifications == 20)
            assert hub.broadcaster.broadcasts == 0
            with ExitStack() as subscribed:
                for ear, user_id in ((one, "ada"), (two, "ada"), (other, "bob")):
                    subscribed.enter_context(hub.subscribed(ear, DEFAULT_TENANT, [user_id]))
                assert hub.clients == 3
                await until(lambda: bool(one.messages and two.messages and other.messages))
                began, rounds = time.monotonic(), hub.broadcaster.broadcasts
                await asyncio.to_thread(write, 100)
                await until(lambda: sum(told["count"] for told in one.heard("readings")) == 100)
                took = time.monotonic() - began
                assert len(one.heard("readings")) <= hub.broadcaster.broadcasts - rounds <= took / MIN_PAUSE + 1
                assert all(mine is yours for mine, yours in zip(one.messages, two.messages, strict=True))
                assert len(other.messages) == 1
            assert hub.clients == 0

    post(client, "/v1/readings", reading())
    asyncio.run(listen())
