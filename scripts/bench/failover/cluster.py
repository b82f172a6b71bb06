"""Three hosts with etcd, Patroni and PostgreSQL each, by the configuration of deploy/failover."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import psycopg

from scripts.bench.failover.hosts import Host, hosts
from scripts.bench.ingest.processes import CannotStart
from scripts.bench.overload.cluster import find_programs, hand_over
from service.database.schema import ROOT

FOLDER = ROOT / "deploy" / "failover"
PASSWORD = "of-a-benchmark"  # noqa: S105
READY_SECONDS = 120.0
GOING = ("running", "streaming")


class Programs(NamedTuple):
    """What runs on the hosts."""

    etcd: str
    patroni: str
    postgres: Path


class Cluster:
    """The hosts, of which one has the primary."""

    def __init__(self, made: Sequence[Host], programs: Programs) -> None:
        self.hosts = made
        self.programs = programs

    @property
    def url(self) -> str:
        """Return an address of all hosts, which leads to the primary."""
        places = ",".join(f"{host.address}:5432" for host in self.hosts)
        return f"postgresql://postgres:{PASSWORD}@{places}/postgres?target_session_attrs=read-write"

    def url_of(self, host: Host) -> str:
        """Return the address of a host's server."""
        return f"postgresql://postgres:{PASSWORD}@{host.address}:5432/postgres"

    def start(self) -> None:
        """Start everything, and wait until there is a primary with a synchronous standby."""
        for host in self.hosts:
            self.start_etcd(host)
        # Patroni ends where an etcd has not agreed with the others yet, and nothing here starts it again.
        self.wait("etcd", lambda: all(is_healthy(host) for host in self.hosts))
        for host in self.hosts:
            self.start_patroni(host)
        self.wait("a primary and two standbys", lambda: self.is_whole())

    def start_etcd(self, host: Host) -> None:
        """Start the etcd of a host."""
        here = f"http://{host.address}"
        members = ",".join(f"{each.name}=http://{each.address}:2380" for each in self.hosts)
        flags = {
            "name": host.name,
            "data-dir": str(host.disk / "etcd"),
            "listen-client-urls": f"{here}:2379",
            "advertise-client-urls": f"{here}:2379",
            "listen-peer-urls": f"{here}:2380",
            "initial-advertise-peer-urls": f"{here}:2380",
            "initial-cluster": members,
            "initial-cluster-state": "new",
        }
        host.start("etcd", [self.programs.etcd, *(f"--{name}={value}" for name, value in flags.items())], {})

    def start_patroni(self, host: Host) -> None:
        """Start Patroni on a host, which starts PostgreSQL."""
        environment = {
            "PATRONI_NAME": host.name,
            "PATRONI_ETCD3_HOSTS": ",".join(f"{each.address}:2379" for each in self.hosts),
            "PATRONI_RESTAPI_LISTEN": f"{host.address}:8008",
            "PATRONI_RESTAPI_CONNECT_ADDRESS": f"{host.address}:8008",
            "PATRONI_POSTGRESQL_LISTEN": f"{host.address},127.0.0.1:5432",
            "PATRONI_POSTGRESQL_CONNECT_ADDRESS": f"{host.address}:5432",
            "PATRONI_POSTGRESQL_DATA_DIR": str(host.disk / "data"),
            "PATRONI_POSTGRESQL_BIN_DIR": str(self.programs.postgres),
            "PATRONI_POSTGRESQL_PGPASS": str(host.disk / "pgpass"),
            "PATRONI_SUPERUSER_USERNAME": "postgres",
            "PATRONI_SUPERUSER_PASSWORD": PASSWORD,
            "PATRONI_REPLICATION_USERNAME": "replicator",
            "PATRONI_REPLICATION_PASSWORD": PASSWORD,
        }
        # Copies, since another user may not read the directory of this one; not on the disk that is paused.
        etc = host.logs / f"{host.name}-etc"
        etc.mkdir()
        for name in ("patroni.yml", "disk_check.py"):
            shutil.copy(FOLDER / name, etc)
        hand_over(etc)
        hand_over(host.disk)
        host.start("patroni", [self.programs.patroni, str(etc / "patroni.yml")], environment)
        data = environment["PATRONI_POSTGRESQL_DATA_DIR"]
        host.start("disk_check", ["/usr/bin/env", "python3", str(etc / "disk_check.py"), data], {})

    def members(self, asked: Host | None = None) -> list[dict[str, Any]]:
        """Return what Patroni says of the members, of a host or of the first one that answers."""
        for host in [asked] if asked else self.hosts:
            if asked is None and (host.is_cut or host.is_paused):
                continue
            with (
                contextlib.suppress(OSError, ValueError),
                urllib.request.urlopen(f"http://{host.address}:8008/cluster", timeout=2) as answer,
            ):
                found: list[dict[str, Any]] = json.load(answer)["members"]
                return found
        return []

    def primary(self) -> Host | None:
        """Return the host whose Patroni says that it has the primary, None while there is none."""
        for host in self.hosts:
            if host.is_cut or host.is_paused:
                continue
            # Not what it says of others: that may be of long ago.
            with contextlib.suppress(OSError), urllib.request.urlopen(f"http://{host.address}:8008/primary", timeout=2):
                return host
        return None

    def is_whole(self) -> bool:
        """Return whether there is a primary, and all others follow its timeline, one of them synchronously."""
        members = self.members()
        roles = [member["role"] for member in members]
        return (
            len(members) == len(self.hosts)
            and roles.count("leader") == 1
            and roles.count("sync_standby") == 1
            and all(member["state"] in GOING for member in members)
            and len({member.get("timeline") for member in members}) == 1
            and sum(self.streams(host) for host in self.hosts) == len(self.hosts) - 1
        )

    def streams(self, host: Host) -> bool:
        """Return whether a host's server follows another one, by what it says itself."""
        try:
            with psycopg.connect(self.url_of(host), connect_timeout=2) as connection:
                row = connection.execute("SELECT status = 'streaming' FROM pg_stat_wal_receiver").fetchone()
                return row == (True,)
        except psycopg.Error:
            return False

    def wait(self, what: str, holds: Callable[[], bool], seconds: float = READY_SECONDS) -> float:
        """Wait until something holds, and return for how long; CannotStart where it does not come to that."""
        began = time.monotonic()
        while not holds():
            if time.monotonic() > began + seconds:
                raise CannotStart(f"{what} did not come about within {seconds:.0f} s: {self.members()}")
            time.sleep(0.1)
        return time.monotonic() - began


def is_healthy(host: Host) -> bool:
    """Return whether the etcd of a host has a leader, and knows the version of all."""
    try:
        with urllib.request.urlopen(f"http://{host.address}:2379/version", timeout=2) as answer:
            return "not_decided" not in answer.read().decode()
    except OSError:
        return False


def find(variable: str, name: str, remedy: str) -> str:
    """Return the path of a program; CannotStart where it is missing."""
    named = os.environ.get(variable) or shutil.which(name)
    if named is None or not os.access(named, os.X_OK):
        raise CannotStart(f"there is no {name}: {remedy}, or name the program in {variable}.")
    return named


def find_all() -> Programs:
    """Return all programs; CannotStart names the first one that is missing."""
    return Programs(
        find("BENCH_ETCD", "etcd", "install etcd-server"),
        find("BENCH_PATRONI", "patroni", "install patroni, from Debian or by `pip install 'patroni[etcd3,psycopg3]'`"),
        find_programs(),
    )


@contextlib.contextmanager
def cluster(count: int, directory: Path) -> Iterator[Cluster]:
    """Run a cluster until the block ends."""
    programs = find_all()
    directory.chmod(0o755)
    with hosts(count, directory) as made:
        running = Cluster(made, programs)
        running.start()
        yield running
