"""HAProxy in front of machines, by the configuration of deploy/haproxy."""

from __future__ import annotations

import csv
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from scripts.bench.ingest.processes import CannotStart
from service.database.schema import ROOT

CONFIGURATION = ROOT / "deploy" / "haproxy" / "haproxy.cfg"
BACKEND = "hyperpulse"
READY_SECONDS = 10.0
SYSTEM = "/usr/sbin"
"""Where Debian has it, which is not on the PATH of every user."""


class Balancer:
    """A running HAProxy, and what it says of its machines."""

    def __init__(self, admin: Path, port: int) -> None:
        self.admin = admin
        self.port = port

    def ask(self, command: str) -> str:
        """Return what it answers to a command."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(READY_SECONDS)
            connection.connect(str(self.admin))
            connection.sendall(f"{command}\n".encode())
            with connection.makefile() as answer:
                return answer.read()

    def uses(self, name: str) -> bool:
        """Return whether it sends requests to a machine."""
        rows = csv.DictReader(self.ask("show stat").removeprefix("# ").splitlines())
        (status,) = [row["status"] for row in rows if (row["pxname"], row["svname"]) == (BACKEND, name)]
        return status.startswith("UP")

    def set_state(self, name: str, state: str) -> None:
        """Have it send nothing new to a machine (`drain`), or go by its checks again (`ready`)."""
        self.ask(f"set server {BACKEND}/{name} state {state}")


def find_program() -> str:
    """Return the path of HAProxy; CannotStart where it is missing."""
    path = f"{os.environ.get('PATH', os.defpath)}:{SYSTEM}"
    named = os.environ.get("BENCH_HAPROXY") or shutil.which("haproxy", path=path)
    if named is None:
        raise CannotStart("there is no haproxy: install it, or name the program in BENCH_HAPROXY.")
    return named


def configuration(admin: Path, port: int, addresses: Sequence[str], others: Mapping[str, str]) -> str:
    """Return the configuration with these addresses and other changes, without TLS, on a port."""
    text = CONFIGURATION.read_text(encoding="utf-8")
    text, servers = re.subn(r"^    server .*\n", "", text, flags=re.MULTILINE)
    changes = {
        "maxconn 8000": "maxconn 400",
        "/run/haproxy/admin.sock": str(admin),
        "bind :443 ssl crt /etc/haproxy/hp.example.org.pem": f"bind 127.0.0.1:{port}",
        **others,
    }
    for old, new in changes.items():
        if old not in text or not servers:
            raise CannotStart(f"{CONFIGURATION} does not say {old}.")
        text = text.replace(old, new)
    return text + "".join(f"    server machine{n} {address}\n" for n, address in enumerate(addresses, 1))


@contextmanager
def balancer(directory: Path, port: int, addresses: Sequence[str], others: Mapping[str, str]) -> Iterator[Balancer]:
    """Run HAProxy in front of these addresses until the block ends, with these changes of its configuration."""
    made = Balancer(directory / "admin.sock", port)
    file = directory / "haproxy.cfg"
    file.write_text(configuration(made.admin, port, addresses, others), encoding="utf-8")
    with (directory / "haproxy.log").open("ab") as log:
        process = subprocess.Popen([find_program(), "-db", "-f", str(file)], stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + READY_SECONDS
        while not made.admin.exists():
            if process.poll() is not None or time.monotonic() > deadline:
                raise CannotStart(f"HAProxy does not start: {(directory / 'haproxy.log').read_text()[-500:]}")
            time.sleep(0.05)
        yield made
    finally:
        process.terminate()
        process.wait(10)
