"""Processor time by part: each process of the server that works for a database, looked at every now and then."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from scripts.bench.database import Connection
from scripts.bench.ingest.processes import PROC, cpu_seconds

SESSIONS = Path(__file__).with_name("sessions.sql").read_bytes()
BENCH = "hyperpulse bench"
"""The name of sessions that look on; their time counts nowhere."""
TICKS = os.sysconf("SC_CLK_TCK")
REFRESHER = "hyperpulse refresher of bench"
NO_TIME: Mapping[str, float] = {}
"""Where it cannot be measured."""


class Process(NamedTuple):
    """A process of the server, and its seconds when it was seen first and last."""

    part: str
    first: float
    last: float


class Meter:
    """Adds up the processor time of the parts: service, copy, refresh and rest."""

    def __init__(self, service: int | None, *, is_here: bool) -> None:
        self.service = service
        self.is_here = is_here
        self.began = cpu_seconds(service)
        self.ended = self.began
        self.processes: dict[int, Process] = {}
        self.looked = False

    def look(self, connection: Connection) -> None:
        """Read the clocks of all processes; those that began since the first look count from their beginning."""
        self.ended = cpu_seconds(self.service)
        if not self.is_here:
            return
        for pid, part in connection.execute(SESSIONS, {"bench": BENCH}).fetchall():
            now = of_one(pid)
            if now is None:
                continue
            known = self.processes.get(pid)
            first = known.first if known else 0.0 if self.looked else now
            self.processes[pid] = Process(part, first, now)
        self.looked = True

    def seconds(self) -> Mapping[str, float]:
        """Return the processor seconds by part, none where they cannot be seen."""
        if not self.is_here:
            return NO_TIME
        found = {} if self.began is None or self.ended is None else {"service": self.ended - self.began}
        for part in ("copy", "refresh", "rest"):
            found[part] = sum(each.last - each.first for each in self.processes.values() if each.part == part)
        return found


def of_one(pid: int) -> float | None:
    """Return the processor seconds of one process; None where it is gone."""
    try:
        fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) / TICKS
