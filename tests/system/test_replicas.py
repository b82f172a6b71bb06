"""Answers from replicas that lag, stall, freeze, die and are promoted: nothing that was answered is missed."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from scripts.bench.ingest.processes import tree_ticks
from scripts.bench.overload.cluster import Cluster
from scripts.bench.overload.standby import Standby, standby
from service.database.pool import Connection, make_pool
from service.database.replicas.positions import HEADER, NOWHERE
from service.database.replicas.reads import Replicas, running_replicas
from service.settings import Settings
from tests.support.replicas import execute, needs_cluster, running_primary
from tests.support.service_process import running_service

pytestmark = needs_cluster
START = datetime(2025, 1, 15, tzinfo=UTC)
RANGE = "?start=2025-01-15T00:00:00Z&end=2025-01-16T00:00:00Z"
LAG = 5
CLIENT = httpx.Client(timeout=30, limits=httpx.Limits(max_keepalive_connections=0))
EVENT = {"tenant_id": "default", "source": "web", "event_type": "click", "payload": {}}


class World(NamedTuple):
    """A primary, a replica that lags by five seconds, one that does not, and two workers that read from each."""

    primary: Cluster
    late: Standby
    prompt: Standby
    behind: str
    """A service that reads from the replica that lags."""
    level: str
    """One that reads from the other."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("replicas")
    with (
        running_primary(folder) as primary,
        standby(primary, folder / "prompt.log", {"max_standby_streaming_delay": "50ms"}) as prompt,
        standby(primary, folder / "late.log", {"recovery_min_apply_delay": f"{LAG}s"}) as late,
        running_service(primary.url, WORKERS="2", READ_DATABASE_URL=late.url) as behind,
        running_service(primary.url, WORKERS="2", READ_DATABASE_URL=prompt.url, REPLICA_MAX_LAG_SECONDS="600") as level,
    ):
        made = World(primary, late, prompt, behind, level)
        for url, replica in ((behind, late), (level, prompt)):
            until(lambda url=url, replica=replica: is_up(url, replica))  # type: ignore[misc]
        yield made


def until(holds: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it does not come about"
        time.sleep(0.05)


def metrics(url: str, name: str) -> dict[str, float]:
    """Return the samples of a metric by their only label."""
    found = re.findall(rf'^hyperpulse_{name}{{\w+="(.+)"}} (.+)$', ask("GET", f"{url}/prometheus").text, re.MULTILINE)
    return {label: float(value) for label, value in found}


def is_up(url: str, replica: Standby) -> bool:
    """Tell whether both workers of a service use a replica."""
    return metrics(url, "replica_up") == {f"127.0.0.1:{replica.port}": 1}


def reading(number: int, user_id: str = "ada", **more: Any) -> dict[str, Any]:
    when = (START + timedelta(seconds=number)).isoformat()
    return {"user_id": user_id, "device_id": "watch", "timestamp": when, "steps": 1, **more}


def ask(method: str, url: str, **given: Any) -> httpx.Response:
    """Ask on a connection of its own, which any worker may take."""
    return CLIENT.request(method, url, **given)


def steps(url: str, user_id: str = "ada", **given: Any) -> int:
    answer = ask("GET", f"{url}/v1/users/{user_id}/summary{RANGE}", **given)
    assert answer.status_code in (200, 404), answer.text
    return int(answer.json()["steps"]) if answer.status_code == 200 else 0


def served_by(replica: Standby, url: str, user_id: str) -> bool:
    """Tell whether an answer came from a replica."""
    name = f"127.0.0.1:{replica.port}"
    before = metrics(url, "reads_total").get(name, 0)
    steps(url, user_id)
    return bool(eventually(lambda: metrics(url, "reads_total").get(name, 0) > before))


def eventually(holds: Callable[[], bool], seconds: float = 3) -> bool:
    """Tell whether something is so within the time in which each worker publishes what it counts."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def test_a_sender_finds_each_write_at_once_through_any_worker(world: World) -> None:
    def send(user: int) -> int:
        missed = 0
        for number in range(15):
            user_id = f"sender_{user}"
            assert ask("POST", f"{world.behind}/v1/readings", json=reading(number, user_id)).status_code == 200
            missed += steps(world.behind, user_id) != number + 1
        return missed

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(send, range(4))) == 0


def test_who_wrote_nothing_reads_from_the_replica_as_of_a_moment(world: World) -> None:
    ask("POST", f"{world.behind}/v1/readings", json=reading(0, "elsewhere"))
    execute(world.primary.url, write("elsewhere", 1))  # by psql, of which no service knows
    assert served_by(world.late, world.behind, "unknown")
    assert steps(world.level, "elsewhere") in (1, 2)
    # Through the one that lags, it is there when its log is replayed, and never half.
    seen = []
    until(lambda: bool(seen.append(steps(world.behind, "elsewhere")) or seen[-1] == 2))
    assert set(seen) <= {1, 2}
    assert seen == sorted(seen)


def write(user_id: str, second: int) -> str:
    return (
        "INSERT INTO api.readings (tenant_id, user_id, device_id, ts, heart_rate, steps, calories) VALUES "
        f"('default', '{user_id}', 'watch', '{(START + timedelta(seconds=second)).isoformat()}', NULL, 1, NULL)"
    )


WRITES: dict[str, Callable[[str], tuple[Any, Any]]] = {}
"""Each returns what a read finds after a write, and what it must find."""


def kind(function: Callable[[str], tuple[Any, Any]]) -> Callable[[str], tuple[Any, Any]]:
    WRITES[function.__name__] = function
    return function


@kind
def an_event(url: str) -> tuple[Any, Any]:
    event = {**EVENT, "event_id": f"event_{time.time_ns()}", "timestamp": datetime.now(UTC).isoformat()}
    ask("POST", f"{url}/v1/events", json=event).raise_for_status()
    events = ask("GET", f"{url}/v1/events?tenant_id=default&limit=1000").json()["events"]
    return events[-1]["event_id"], event["event_id"]


@kind
def an_interval(url: str) -> tuple[Any, Any]:
    end = (START + timedelta(hours=1)).isoformat()
    ask("POST", f"{url}/v1/readings", json=reading(0, "walker", end=end, steps=500)).raise_for_status()
    return steps(url, "walker"), 500


@kind
def a_sample(url: str) -> tuple[Any, Any]:
    ask("POST", f"{url}/v1/readings", json=reading(0, "breather", spo2=97)).raise_for_status()
    found = ask("GET", f"{url}/v1/users/breather/summary{RANGE}&metrics=spo2").json()
    return found["metrics"]["spo2"]["avg"], 97


@kind
def a_stream(url: str) -> tuple[Any, Any]:
    lines = "".join(f'{{"user_id":"streamer","timestamp":"{START.isoformat()}","steps":7}}\n' for _ in range(1))
    headers = {"Content-Type": "application/x-ndjson"}
    ask("POST", f"{url}/v1/readings", content=lines, headers=headers).raise_for_status()
    return steps(url, "streamer"), 7


@kind
def many_users(url: str) -> tuple[Any, Any]:
    body = [reading(0, f"crowd_{number}", steps=3) for number in range(400)]
    ask("POST", f"{url}/v1/readings", json=body).raise_for_status()
    return [steps(url, f"crowd_{number}") for number in (0, 399)], [3, 3]


@kind
def an_import(url: str) -> tuple[Any, Any]:
    line = f"steps,user_id=importer,device_id=watch value=9 {int(START.timestamp())}000000000\n"
    ask("POST", f"{url}/v1/import/line-protocol?user_id=importer", content=line).raise_for_status()
    found = ask("GET", f"{url}/v1/users/importer/readings{RANGE}", headers={"Accept": "text/csv"})
    return found.text.count("\n"), 2


@kind
def a_device(url: str) -> tuple[Any, Any]:
    priority = time.time_ns() % 900
    ask("PUT", f"{url}/v1/devices/ring", json={"priority": priority}).raise_for_status()
    return ask("GET", f"{url}/v1/devices/ring").json()["priority"], priority


@kind
def a_metric(url: str) -> tuple[Any, Any]:
    name = f"own_{time.time_ns()}"
    metric = {"title": "Grip strength", "unit": "kg", "kind": "gauge", "lowest": 0, "highest": 200}
    ask("PUT", f"{url}/v1/metrics/{name}", json=metric).raise_for_status()
    return name in {each["name"] for each in ask("GET", f"{url}/v1/metrics").json()["metrics"]}, True


@kind
def an_erasure(url: str) -> tuple[Any, Any]:
    ask("POST", f"{url}/v1/readings", json=reading(0, "forgotten")).raise_for_status()
    ask("DELETE", f"{url}/v1/users/forgotten").raise_for_status()
    users = [user["user_id"] for user in ask("GET", f"{url}/v1/users?limit=1000").json()["users"]]
    return (steps(url, "forgotten"), "forgotten" in users), (0, False)


@pytest.mark.parametrize("what", WRITES)
def test_writes_of_every_kind_are_found_at_once(world: World, what: str) -> None:
    for _ in range(3):
        found, expected = WRITES[what](world.behind)
        assert found == expected


def test_another_machine_finds_it_by_the_header(world: World) -> None:
    """A service that shares no memory, since it names the database otherwise."""
    elsewhere = world.primary.url.replace("127.0.0.1", "localhost")
    with running_service(elsewhere, READ_DATABASE_URL=world.late.url) as other:
        until(lambda: is_up(other, world.late))
        missed = 0
        for number in range(5):
            said = ask("POST", f"{world.behind}/v1/readings", json=reading(number, "traveller")).headers[HEADER]
            missed += steps(other, "traveller") != number + 1
            assert steps(other, "traveller", headers={HEADER: said}) == number + 1
        assert missed, "without it, nothing would be shown"
    with running_service(elsewhere, READ_DATABASE_URL=world.late.url, READ_YOUR_WRITES="everywhere") as other:
        for number in range(5, 10):
            ask("POST", f"{world.behind}/v1/readings", json=reading(number, "traveller"))
            assert steps(other, "traveller") == number + 1


def test_a_stalled_replica_keeps_nobody_waiting(world: World) -> None:
    assert served_by(world.prompt, world.level, "unknown")
    with world.prompt.stalled():
        for number in range(10):
            ask("POST", f"{world.level}/v1/readings", json=reading(number, "patient"))
            assert steps(world.level, "patient") == number + 1
        assert eventually(lambda: metrics(world.level, "reads_total").get("primary", 0) > 0)
    until(lambda: metrics(world.level, "replica_lag_seconds")[f"127.0.0.1:{world.prompt.port}"] == 0)
    assert served_by(world.prompt, world.level, "patient")


def test_a_dead_replica_is_left_alone_and_taken_back(world: World) -> None:
    assert served_by(world.prompt, world.level, "unknown")
    world.prompt.kill()
    for number in range(10):
        ask("POST", f"{world.level}/v1/readings", json=reading(number, "mourner"))
        assert steps(world.level, "mourner") == number + 1
        assert steps(world.level, "unknown") == 0
    until(lambda: not is_up(world.level, world.prompt))
    world.prompt.start()
    until(lambda: is_up(world.level, world.prompt))
    assert served_by(world.prompt, world.level, "mourner")


def test_reads_under_way_on_a_frozen_replica_go_to_the_primary(world: World) -> None:
    assert served_by(world.prompt, world.level, "unknown")
    assert world.prompt.process is not None
    processes = [world.prompt.process.pid, *tree_ticks(world.prompt.process.pid)]
    for pid in processes:
        os.kill(pid, signal.SIGSTOP)
    try:
        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(lambda _: steps(world.level, "unknown"), range(8))) == [0] * 8
    finally:
        for pid in processes:
            os.kill(pid, signal.SIGCONT)
    until(lambda: is_up(world.level, world.prompt))


@asynccontextmanager
async def in_this_process(world: World) -> AsyncIterator[Replicas]:
    settings = Settings(world.primary.url, read_database_url=(world.prompt.url,), pool_size=2)
    async with make_pool(settings) as pool, running_replicas(settings, pool) as replicas:
        assert replicas is not None
        while not replicas.is_usable(replicas.replicas[0]):
            await asyncio.sleep(0.02)
        yield replicas


def test_a_conflict_with_what_is_replayed_is_read_on_the_primary(world: World) -> None:
    """The log has a lock that a read of the replica is in the way of."""
    ports: list[int] = []

    async def read(connection: Connection) -> None:
        ports.append(connection.info.port)
        async with connection.transaction():
            await connection.execute("SELECT FROM core.device")
            if len(ports) == 1:
                await asyncio.to_thread(
                    execute, world.primary.url, "DO $$ BEGIN LOCK TABLE core.device IN ACCESS EXCLUSIVE MODE; END $$"
                )
                await connection.execute("SELECT pg_sleep(20)")

    async def main() -> None:
        async with in_this_process(world) as replicas:
            await replicas.reads([("user", "default", "unknown")], NOWHERE).read(read)

    asyncio.run(main())
    assert ports == [world.prompt.port, world.primary.port]


def questions(url: str) -> Iterator[tuple[str, str]]:
    """Yield every question that there is, and the type that is accepted."""
    user, day = f"{url}/v1/users/reader", RANGE[1:]
    for what in ("summary", "series", "readings", "devices"):
        yield f"{user}/{what}{RANGE}", "*/*"
    for what in ("summary", "series", "readings"):
        yield f"{user}/{what}{RANGE}&metrics=all", "*/*"
    for accepted in ("text/csv", "application/x-ndjson"):
        for metrics_asked in ("", "&metrics=all"):
            yield f"{user}/readings{RANGE}{metrics_asked}", accepted
    for path in ("series?bucket=auto&fill=null&" + day, "latest", "latest?metrics=spo2", "export"):
        yield f"{user}/{path}", "*/*"
    for path in (
        "/v1/users",
        "/v1/overview",
        "/v1/metrics",
        "/v1/devices/watch",
        f"/metrics?user_id=303&{day}",
        f"/metrics/heart-rate?user_id=reader&{day}",
        f"/metrics?tenant_id=default&bucket_size=hour&{day}",
        f"/v1/events/metrics?tenant_id=default&bucket_size=hour&{day}",
        "/events?tenant_id=default",
        "/v1/events?tenant_id=default",
    ):
        yield f"{url}{path}", "*/*"


def test_every_statement_of_an_answer_runs_on_a_replica(world: World) -> None:
    """What fails there would be read on the primary, and nobody would know."""
    ask("POST", f"{world.level}/v1/readings", json=reading(0, "reader", heart_rate=60, spo2=97)).raise_for_status()
    ask("POST", f"{world.level}/v1/readings", json=reading(0, "303", heart_rate=60)).raise_for_status()
    elsewhere = world.primary.url.replace("127.0.0.1", "localhost")  # where no position is known
    with running_service(elsewhere, READ_DATABASE_URL=world.prompt.url) as url:
        until(lambda: is_up(url, world.prompt) and steps(url, "303") == 1)
        for question, accepted in questions(url):
            before = metrics(url, "reads_total")
            answer = ask("GET", question, headers={"Accept": accepted})
            assert answer.status_code == 200, (question, answer.text)
            after = metrics(url, "reads_total")
            assert after.get("primary", 0) == before.get("primary", 0), question
            assert sum(after.values()) > sum(before.values()), question


def test_after_a_failover_reads_wait_for_nothing_that_was_lost(world: World, tmp_path: Path) -> None:
    """The last of the tests: the primary dies, and the prompt replica takes its place."""
    hosts = f"127.0.0.1:{world.primary.port},127.0.0.1:{world.prompt.port}"
    url = f"postgresql://postgres@{hosts}/postgres?target_session_attrs=read-write"
    servers = f"{world.prompt.url},{world.primary.url}"
    with running_service(url, READ_DATABASE_URL=servers) as service:
        # The primary, which is in the list as well, is none of its own replicas.
        until(lambda: is_up(service, world.prompt))
        said = ask("POST", f"{service}/v1/readings", json=reading(0, "survivor")).headers[HEADER]
        until(lambda: served_by(world.prompt, service, "survivor"))
        world.primary.kill()
        execute(world.prompt.url, "SELECT pg_promote()")
        until(lambda: ask("POST", f"{service}/v1/readings", json=reading(1, "survivor")).status_code == 200)
        assert steps(service, "survivor") == 2
        timeline, high, _ = said.split("/")
        lost = f"{timeline}/{high}/FFFFFFF8"
        began = time.monotonic()
        for position in (said, lost):
            assert [steps(service, "survivor", headers={HEADER: position}) for _ in range(5)] == [2] * 5
        assert time.monotonic() - began < 5
        until(lambda: metrics(service, "replica_up") == {f"127.0.0.1:{world.primary.port}": 0})
