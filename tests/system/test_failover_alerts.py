"""Each alert of deploy/failover fires by its fault: Patroni on three hosts, scraped by a real Prometheus."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest
import yaml

from scripts.bench.failover.cluster import Cluster, cluster, find_all
from scripts.bench.failover.hosts import Host, require_tools
from scripts.bench.ingest.processes import CannotStart
from tests.support.paths import ROOT
from tests.support.prometheus import Alerts, needs_prometheus, running_prometheus

RULES = ROOT / "deploy" / "failover" / "rules.yml"
SECONDS = 60.0


def has_hosts() -> bool:
    try:
        require_tools()
        find_all()
    except CannotStart:
        return False
    return True


pytestmark = [
    needs_prometheus,
    pytest.mark.native,
    pytest.mark.skipif(not has_hosts(), reason="hosts take root, etcd, Patroni and PostgreSQL: see bench failover"),
]


class World(NamedTuple):
    """Three hosts, and Prometheus."""

    running: Cluster
    alerts: Alerts


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """What is well at first."""
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hyperpulse-alerts-")))
        running = stack.enter_context(cluster(3, place))
        hosts = {host.name: f"{host.address}:8008" for host in running.hosts}
        folder = place / "prometheus"
        folder.mkdir()
        alerts = stack.enter_context(
            running_prometheus(folder, {"patroni": hosts}, RULES, metrics_path="/metrics", scrape_seconds=1)
        )
        yield World(running, alerts)


def primary(world: World) -> Host:
    """Return the host of the primary."""
    deadline = time.monotonic() + SECONDS
    while (found := world.running.primary()) is None:
        assert time.monotonic() < deadline, "there is no primary"
        time.sleep(0.1)
    return found


def set_paused(world: World, paused: bool) -> None:
    """Do what `patronictl pause` and `resume` do, and wait until each host knows."""
    first = world.running.hosts[0]
    httpx.patch(f"http://{first.address}:8008/config", json={"pause": paused}, timeout=10).raise_for_status()
    deadline = time.monotonic() + SECONDS
    for host in world.running.hosts:
        while bool(httpx.get(f"http://{host.address}:8008/patroni", timeout=10).json().get("pause")) != paused:
            assert time.monotonic() < deadline
            time.sleep(0.2)


def pause(world: World) -> str:
    """Maintenance begins, and does not end."""
    set_paused(world, paused=True)
    return ""


def lose_primary(world: World) -> str:
    """The primary is killed while no other host may take over."""
    old = primary(world)
    set_paused(world, paused=True)
    old.kill("postgres")
    return ""


def fail_over(world: World) -> str:
    """The primary is killed, and another host takes over."""
    set_paused(world, paused=False)
    if (old := world.running.primary()) is not None:
        old.kill("postgres")
    return ""


def take_away(host: Host) -> None:
    """Kill Patroni and PostgreSQL of a host, whose etcd goes on."""
    host.kill("patroni")
    host.kill("postgres")


def lose_host(world: World) -> str:
    """A host takes no part; there is another standby."""
    set_paused(world, paused=False)
    world.running.wait("three hosts", world.running.is_whole)
    for host in world.running.hosts:
        if httpx.get(f"http://{host.address}:8008/asynchronous", timeout=10).is_success:
            take_away(host)
            return host.name
    raise AssertionError("there is no asynchronous standby")


def lose_standbys(world: World) -> str:
    """No standby is left."""
    stays = primary(world)
    for host in world.running.hosts:
        if host is not stays:
            take_away(host)
    return ""


FAULTS: dict[str, Callable[[World], str]] = {
    "HyperpulseFailoverPaused": pause,
    "HyperpulseNoPrimary": lose_primary,
    "HyperpulseFailedOver": fail_over,
    "HyperpulseHostAway": lose_host,
    "HyperpulseNoStandby": lose_standbys,
}
"""In the order that needs the least; each returns the instance that its alert names."""


def test_every_alert_has_its_fault() -> None:
    groups = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    assert {rule["alert"] for group in groups for rule in group["rules"]} == FAULTS.keys()


def test_nothing_fires_where_all_is_well(world: World) -> None:
    for host in world.running.hosts:
        world.alerts.wait_for_scrapes(host.name, 3)
    assert world.alerts.firing() == set()


@pytest.mark.parametrize("alert", FAULTS)
def test_an_alert_fires_by_its_fault(world: World, alert: str) -> None:
    assert alert not in {name for name, _ in world.alerts.firing()}
    instance = FAULTS[alert](world)
    world.alerts.wait_for(alert, instance, SECONDS)


def test_hosts_of_which_none_answers_have_no_primary(world: World) -> None:
    for host in world.running.hosts:
        take_away(host)
    world.alerts.wait_for("HyperpulseNoPrimary", seconds=SECONDS)
