"""Hosts on this machine: a network namespace with an address of its own, and a file system on a disk of its own.

A host is cut off by taking its cable away, and its disk is paused by freezing the file system: what writes there stands
still until the file system is thawed, as with a disk that does not answer any more.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from scripts.bench.ingest.processes import CannotStart
from scripts.bench.overload.cluster import other_user

NETWORK = "10.213.47"
"""Of the hosts; this machine itself is .254 there."""
DISK_BYTES = 4 * 1024**3
TOOLS = ("ip", "setpriv", "mkfs.ext4", "mount", "umount", "fsfreeze")
GONE_SECONDS = 20.0


class Host:
    """A host: its name, its address, its disk, and the processes in its namespace."""

    def __init__(self, number: int, directory: Path) -> None:
        self.number = number
        self.name = f"hyperpulse{number}"
        self.address = f"{NETWORK}.{number}"
        self.cable = f"hpcable{number}"
        self.disk = directory / self.name
        self.logs = directory
        self.is_cut = False
        self.is_paused = False
        self.started: list[subprocess.Popen[bytes]] = []

    def create(self) -> None:
        """Make the disk, the namespace, and the cable to the bridge."""
        image = self.disk.with_suffix(".img")
        with image.open("wb") as file:
            file.truncate(DISK_BYTES)
        self.disk.mkdir()
        run("mkfs.ext4", "-q", "-F", str(image))
        run("mount", "-o", "loop", str(image), str(self.disk))
        if owner := other_user():
            os.chown(self.disk, owner.pw_uid, owner.pw_gid)
        run("ip", "netns", "add", self.name)
        run("ip", "link", "add", self.cable, "type", "veth", "peer", "name", "eth0", "netns", self.name)
        run("ip", "link", "set", self.cable, "master", "hpbridge", "up")
        for words in ("link set lo up", f"address add {self.address}/24 dev eth0", "link set eth0 up"):
            run("ip", "-n", self.name, *words.split())

    def start(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start a process there, whose log is not on its disk."""
        owner = other_user()
        assert owner is not None
        as_owner = ["setpriv", f"--reuid={owner.pw_uid}", f"--regid={owner.pw_gid}", "--clear-groups"]
        with (self.logs / f"{self.name}-{name}.log").open("ab") as log:
            process = subprocess.Popen(
                ["ip", "netns", "exec", self.name, *as_owner, *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8", "HOME": str(self.disk), **environment},
                start_new_session=True,
            )
        self.started.append(process)

    def processes(self, name: str | None = None) -> list[int]:
        """Return the processes there, or those of a program."""
        found = [int(pid) for pid in run("ip", "netns", "pids", self.name).split()]
        return [pid for pid in found if name is None or program(pid) == name]

    def kill(self, name: str | None = None) -> None:
        """Kill -9 the processes of a program, or all there are."""
        for pid in self.processes(name):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def cut(self) -> None:
        """Take the cable away: what is sent arrives nowhere, in both directions."""
        run("ip", "link", "set", self.cable, "down")
        self.is_cut = True

    def pause(self) -> None:
        """Freeze the file system."""
        run("fsfreeze", "--freeze", str(self.disk))
        self.is_paused = True

    def heal(self) -> None:
        """Undo both."""
        if self.is_paused:
            run("fsfreeze", "--unfreeze", str(self.disk))
            self.is_paused = False
        if self.is_cut:
            run("ip", "link", "set", self.cable, "up")
            self.is_cut = False

    def remove(self) -> None:
        """End all of it."""
        with contextlib.suppress(CannotStart):
            self.heal()
        deadline = time.monotonic() + GONE_SECONDS
        with contextlib.suppress(CannotStart):  # what failed to be made
            while self.processes() and time.monotonic() < deadline:
                self.kill()
                time.sleep(0.1)
        for process in self.started:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(1)
        for undo in (
            ("ip", "link", "delete", self.cable),
            ("ip", "netns", "delete", self.name),
            ("umount", str(self.disk)),
        ):
            with contextlib.suppress(CannotStart):
                run(*undo)


def run(*command: str) -> str:
    """Run a command and return what it prints; CannotStart where it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CannotStart(f"{' '.join(command)} failed: {done.stderr.strip()[-300:]}")
    return done.stdout


def program(pid: int) -> str:
    """Return the name of a process's program, "" where it is gone."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip()
    return ""


def require_tools() -> None:
    """Raise CannotStart where hosts cannot be made."""
    if os.geteuid() != 0:
        raise CannotStart("namespaces, disks and their faults take root: run it with sudo.")
    if missing := [tool for tool in TOOLS if shutil.which(tool) is None]:
        raise CannotStart(f"{', '.join(missing)} cannot be found: install iproute2, util-linux and e2fsprogs.")


@contextlib.contextmanager
def hosts(count: int, directory: Path) -> Iterator[list[Host]]:
    """Make hosts on a bridge that this machine is on too, and remove them afterwards."""
    require_tools()
    with contextlib.ExitStack() as stack:
        run("ip", "link", "add", "hpbridge", "type", "bridge")
        stack.callback(run, "ip", "link", "delete", "hpbridge")
        run("ip", "address", "add", f"{NETWORK}.254/24", "dev", "hpbridge")
        run("ip", "link", "set", "hpbridge", "up")
        made = [Host(number, directory) for number in range(1, count + 1)]
        for host in made:
            stack.callback(host.remove)
            host.create()
        yield made
