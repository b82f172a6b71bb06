"""The service that is attacked, its keys, and what its process shows from outside."""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path
from typing import NamedTuple

from scripts.bench.attacks.options import Options
from scripts.bench.database import connect, version
from scripts.bench.ingest.processes import PROC, tree_ticks
from scripts.bench.overload import environment as overload
from scripts.bench.overload.options import Options as OverloadOptions
from service.auth.key import new_key
from service.database.schema import query

ATTACKER = "attacker"
OTHER = "other"
LIMITS = ("requests_per_second", "readings_per_second", "bytes_per_day")
LONG = 100_000
"""Readings of the attacker's user, 10 MB of NDJSON: more than sockets hold."""
USERS = 20
"""Of each tenant, with a day of readings every minute."""
PIECE = 10_000
EVENTS = 20_000


class Keys(NamedTuple):
    """What clients present."""

    attacker: str
    other: str


class Running(NamedTuple):
    """The service."""

    database_url: str
    port: int
    pid: int
    version: str
    keys: Keys
    log: Path


def add_key(url: str, tenant: str, **limits: float) -> str:
    """Add a key of a tenant that may read and write; return its text."""
    key = new_key()
    values = dict.fromkeys((*LIMITS, "valid_for", "name")) | limits
    with connect(url) as connection:
        connection.execute(
            query("add_key"),
            {**values, "key_id": key.id, "digest": key.digest, "scopes": ["ingest", "read"], "tenant_id": tenant},
        )
    return key.text


@contextlib.contextmanager
def running(options: Options, workers: int) -> Iterator[Running]:
    """Run the service on a database with keys and some readings of two tenants."""
    like = OverloadOptions(options.server_url, options.database, options.port, 1, workers, None)
    with tempfile.TemporaryDirectory(prefix="hyperpulse-bench-") as directory:
        log = Path(directory) / "service.log"
        with overload.database(like, Path(directory) / "data") as url:
            keys = Keys(add_key(url, ATTACKER), add_key(url, OTHER))
            with connect(url) as connection:
                found = version(connection)
            with overload.service(url, like, log) as pid:
                fill(options.port, keys)
                yield Running(url, options.port, pid, found, keys, log)


def user(number: int) -> str:
    """Return the name of a user."""
    return f"user-{number}"


def fill(port: int, keys: Keys) -> None:
    """Send readings of a day of each tenant's users, and what an attacker reads slowly."""
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    for key in keys:
        for number in range(USERS):
            post(port, key, lines(user(number), midnight - timedelta(days=2), 1440, 60))
    for first in range(0, LONG, PIECE):
        begin = midnight - timedelta(days=1) + timedelta(seconds=first * 0.5)
        post(port, keys.attacker, lines(user(0), begin, PIECE, 0.5))
    for first in range(0, EVENTS, PIECE):
        events = [
            {
                "event_id": f"event-{number}",
                "source": "bench",
                "event_type": "step",
                "timestamp": (midnight - timedelta(minutes=number)).isoformat(),
                "payload": {"note": "x" * 400},
            }
            for number in range(first, first + PIECE)
        ]
        post(port, keys.attacker, json.dumps({"events": events}).encode(), "/v1/events", "application/json")


def lines(name: str, begin: datetime, count: int, seconds: float) -> bytes:
    """Return readings as NDJSON."""
    moments = (begin + timedelta(seconds=seconds * number) for number in range(count))
    return b"".join(
        b'{"user_id":"%b","timestamp":"%b","heart_rate":%d,"steps":1}\n'
        % (name.encode(), moment.isoformat().encode(), 60 + number % 60)
        for number, moment in enumerate(moments)
    )


def post(port: int, key: str, body: bytes, path: str = "/v1/readings", kind: str = "application/x-ndjson") -> None:
    """Send a body; RuntimeError where it is not stored."""
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        headers = {"Host": "localhost", "Authorization": f"Bearer {key}", "Content-Type": kind}
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        said = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{path}: HTTP {answer.status} {said[:200]!r}")
    finally:
        connection.close()


def forget_peak(pid: int) -> None:
    """Have the peak of memory counted from now on."""
    for each in tree_ticks(pid):
        with contextlib.suppress(OSError):
            (PROC / str(each) / "clear_refs").write_text("5")


def peak_bytes(pid: int) -> int:
    """Return the highest resident bytes, since `forget_peak`, of the largest process of the service."""
    return max((status_bytes(each, "VmHWM") for each in tree_ticks(pid)), default=0)


def status_bytes(pid: int, field: str) -> int:
    """Return bytes of a field of /proc/PID/status; 0 if there is none."""
    with contextlib.suppress(OSError):
        for line in (PROC / str(pid) / "status").read_text().splitlines():
            if line.startswith(f"{field}:"):
                return int(line.split()[1]) * 1024
    return 0


def open_sockets(pid: int) -> int:
    """Return how many files the service has open, which are sockets nearly all."""
    count = 0
    for each in tree_ticks(pid):
        with contextlib.suppress(OSError):
            count += sum(1 for _ in (PROC / str(each) / "fd").iterdir())
    return count


def waited_seconds(pid: int) -> float:
    """Return for how long the processes of the service could have run, and had to wait for a processor."""
    waited = 0.0
    for each in tree_ticks(pid):
        with contextlib.suppress(OSError):
            waited += int((PROC / str(each) / "schedstat").read_text().split()[1]) / 1e9
    return waited
