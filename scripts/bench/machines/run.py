"""`bench machines`: machine after machine is upgraded under load, and what holds afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple
from unittest import mock

from scripts.bench.database import connect, database, settle, version
from scripts.bench.ingest.processes import CannotStart
from scripts.bench.machines.balancer import Balancer, balancer, find_program
from scripts.bench.machines.clients import MachineClients
from scripts.bench.machines.machine import Machine
from scripts.bench.machines.options import Options
from scripts.bench.overload.cluster import free_port
from scripts.bench.overload.report import Results, Verdict
from scripts.bench.under_load.frame import Say, fault_notes, judge_stored, seconds, send_during, workplace
from scripts.migrate import migrate
from service.database.schema import ROOT

CALM_SECONDS = 1.0
WAIT_SECONDS = 60.0
RETRY = "retry-on conn-failure empty-response"
FOR_THE_RELEASE_BEFORE = {"uri /ready": "uri /health", RETRY: f"{RETRY} 500"}
"""What docs/upgrading.md has HAProxy do for release 0.2.0, which does not repeat a statement whose function went."""


class Upgrade(NamedTuple):
    """What the upgrade of one machine took, in seconds."""

    machine: str
    unused: float
    """Until the balancer sent it nothing more."""
    stopped: float
    """Until its service had ended."""
    started: float
    """From then until the new one answered."""
    used: float
    """From then until the balancer sent it requests."""
    drains: bool
    """Whether its release drains by itself."""


def run(options: Options, say: Say) -> Results:
    """Upgrade, and compare."""
    find_program()
    if options.server_url is None:
        raise CannotStart("several machines take a server: name one in BENCH_DATABASE_URL.")
    before = (options.before or ROOT).resolve()
    with (
        workplace(options.logs) as place,
        database(options.server_url, options.database, migrating=lambda url: migrate_with(before, url)) as url,
    ):
        machines = [Machine(n, free_port(), environment(options, url), place) for n in range(1, options.machines + 1)]
        clients = MachineClients(free_port(), asks_ready=options.before is None)
        with balanced(machines, before, place, clients.port) as running:
            migrated, upgrades = send_during(clients, upgrade_all(options, url, clients, machines, running, say))
        return results(url, clients, migrated, upgrades, say)


@contextlib.contextmanager
def balanced(machines: list[Machine], release: Path, place: Path, port: int) -> Iterator[Balancer]:
    """Run machines of a release behind a balancer on a port until the block ends."""
    with contextlib.ExitStack() as stack:
        for machine in machines:
            stack.callback(machine.end)
            machine.start(release)
        for machine in machines:
            machine.wait_until_answering()
        others = {} if release == ROOT else FOR_THE_RELEASE_BEFORE
        running = stack.enter_context(balancer(place, port, [each.address for each in machines], others))
        wait(lambda: all(running.uses(each.name) for each in machines), "HAProxy uses all machines")
        yield running


def environment(options: Options, url: str) -> dict[str, str]:
    """Return the environment of a machine's service."""
    return {
        "DATABASE_URL": url,
        "WORKERS": str(options.workers),
        "DRAIN_SECONDS": str(options.drain) if options.drain else "off",
        "AUTH": "off",
        "ALLOWED_HOSTS": "hp.example.org",
        "TRUSTED_PROXIES": "127.0.0.1",
        "LOG_FORMAT": "text",
    }


def migrate_with(release: Path, url: str) -> None:
    """Migrate a database as a release does."""
    if release == ROOT:
        migrate(url)
        return
    command = [sys.executable, "-m", "scripts.migrate"]
    done = subprocess.run(
        command, cwd=release, env={**os.environ, "DATABASE_URL": url}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise CannotStart(f"the schema of {release} was not made: {done.stderr[-500:]}")


def migrate_again(options: Options, url: str) -> float:
    """Migrate to this release, or rebuild its schema as a later one would; return the seconds that it took."""
    began = time.monotonic()
    if options.before is None:
        with mock.patch("scripts.migrate.api_digest", return_value="a later release"):
            assert migrate(url).api_rebuilt
    else:
        settle(url)
    return time.monotonic() - began


async def upgrade_all(
    options: Options, url: str, clients: MachineClients, machines: list[Machine], running: Balancer, say: Say
) -> tuple[float, list[Upgrade]]:
    """Migrate, and upgrade one machine after the other; return the seconds that the former took, and the latter."""
    await asyncio.sleep(CALM_SECONDS)
    migrated = await asyncio.to_thread(migrate_again, options, url)
    say(f"  migrated in {migrated:.1f} s; {dict(clients.statuses)}")
    upgrades: list[Upgrade] = []
    for machine in machines * options.rounds:
        await asyncio.sleep(CALM_SECONDS)
        upgrades.append(await asyncio.to_thread(upgrade, options, machine, running))
        say(f"  {upgrades[-1]}; {dict(clients.statuses)}")
    await asyncio.sleep(CALM_SECONDS)
    return migrated, upgrades


def upgrade(options: Options, machine: Machine, running: Balancer) -> Upgrade:
    """Drain and stop a machine, and start it with this release."""
    drains = machine.release == ROOT
    unused, stopped = stop(options, machine, running, drains)
    began = time.monotonic()
    machine.start(ROOT)
    machine.wait_until_answering()
    started = time.monotonic() - began
    if not drains:
        running.set_state(machine.name, "ready")
    used = wait(lambda: running.uses(machine.name), f"HAProxy uses {machine.name}")
    return Upgrade(machine.name, unused, stopped, started, used, drains)


def stop(options: Options, machine: Machine, running: Balancer, drains: bool) -> tuple[float, float]:
    """Drain and stop a machine; return the seconds until it was unused, and until its service had ended."""
    began = time.monotonic()
    if not drains:
        running.set_state(machine.name, "drain")
        time.sleep(options.drain)
    machine.ask_to_stop()
    unused = stopped = 0.0
    while not stopped:
        if not unused and not running.uses(machine.name):
            unused = time.monotonic() - began
        if machine.has_stopped:
            stopped = time.monotonic() - began
        if time.monotonic() > began + options.drain + WAIT_SECONDS:
            raise CannotStart(f"{machine.name} does not stop.")
        time.sleep(0.02)
    unused = unused or wait(lambda: not running.uses(machine.name), "HAProxy gives up the machine") + stopped
    return unused, stopped


def wait(holds: Callable[[], bool], what: str) -> float:
    """Wait until something holds, and return for how long; CannotStart where it does not come to that."""
    began = time.monotonic()
    while not holds():
        if time.monotonic() > began + WAIT_SECONDS:
            raise CannotStart(f"{what}: not within {WAIT_SECONDS:.0f} s.")
        time.sleep(0.05)
    return time.monotonic() - began


def results(url: str, clients: MachineClients, migrated: float, upgrades: list[Upgrade], say: Say) -> Results:
    """Compare what was answered with what is stored, and report."""
    stored = judge_stored(url, clients, say)
    with connect(url) as connection:
        title = f"{version(connection)}; {len(upgrades)} upgrades; the schema was rebuilt in {migrated:.1f} s"
    heads = ("seconds of", "until HAProxy had left it", "until it had stopped", "its start", "until HAProxy used it")
    rows = [(each.machine, *seconds(each.unused, each.stopped, each.started, each.used)) for each in upgrades]
    late = [each.machine for each in upgrades if each.drains and each.unused >= each.stopped]
    verdicts = [
        all_healed(clients),
        *stored.verdicts,
        nothing_missed(clients),
        Verdict("no machine stopped while it was sent requests", not late, f"{len(late)} of {len(upgrades)} did"),
    ]
    notes = fault_notes(clients.faults + missed(clients))
    notes += [f"{view.name} does not have the last readings" for view in clients.views if not view.is_complete]
    return Results(title, heads, rows, verdicts, notes)


def all_healed(clients: MachineClients) -> Verdict:
    """Judge what was answered."""
    faults = sum(clients.faults.values())
    return Verdict(
        "no request failed",
        not faults and clients.refused == clients.healed,
        f"{clients.statuses.total():,} sent, {clients.refused:,} got 503 with Retry-After, of which one retry "
        f"healed {clients.healed:,}; {faults:,} others; the longest took {clients.longest:.1f} s",
    )


def nothing_missed(clients: MachineClients) -> Verdict:
    """Judge what live clients heard."""
    closings: Counter[str] = sum((view.closings for view in clients.views), Counter())
    reasons = "; ".join(f"{count} closed with {reason}" for reason, count in closings.items()) or "none closed"
    return Verdict(
        "live clients missed nothing",
        not missed(clients) and all(view.is_complete for view in clients.views),
        f"{sum(view.connections for view in clients.views)} connections of {len(clients.views)} clients, {reasons}; "
        f"without a message for {max(view.longest for view in clients.views):.1f} s at most",
    )


def missed(clients: MachineClients) -> Counter[str]:
    """Return the faults of live clients."""
    return sum((view.faults for view in clients.views), Counter())
