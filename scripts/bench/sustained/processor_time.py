"""Processor time by part, sampled from the server's processes that work for a database."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from scripts.bench.database import Connection
from scripts.bench.ingest.processes import PROC, cpu_seconds

SESSIONS = Path(__file__).with_name("sessions.sql").read_bytes()
BENCH = "hyperpulse bench"
"""The application name of monitoring sessions, whose time is not counted."""
TICKS = os.sysconf("SC_CLK_TCK")
REFRESHER = "hyperpulse refresher of bench"
NO_TIME: Mapping[str, float] = {}
"""The result if processor time cannot be read."""


class Process(NamedTuple):
    """A process of the server, and its seconds at its first and last sample."""

    part: str
    first: float
    last: float


class ProcessorMeter:
    """Sums the processor time of the parts: service, copy, refresh and rest."""

    def __init__(self, service: int | None, *, is_here: bool) -> None:
        self.service = service
        self.is_here = is_here
        self.began = cpu_seconds(service)
        self.ended = self.began
        self.processes: dict[int, Process] = {}
        self.has_sampled = False

    def sample(self, connection: Connection) -> None:
        """Sample all processes; those that started after the first sample count from their start."""
        self.ended = cpu_seconds(self.service)
        if not self.is_here:
            return
        for pid, part in connection.execute(SESSIONS, {"bench": BENCH}).fetchall():
            now = processor_seconds(pid)
            if now is None:
                continue
            known = self.processes.get(pid)
            first = known.first if known else 0.0 if self.has_sampled else now
            self.processes[pid] = Process(part, first, now)
        self.has_sampled = True

    def seconds(self) -> Mapping[str, float]:
        """Return the processor seconds by part, nothing if they cannot be read."""
        if not self.is_here:
            return NO_TIME
        found = {} if self.began is None or self.ended is None else {"service": self.ended - self.began}
        for part in ("copy", "refresh", "rest"):
            found[part] = sum(each.last - each.first for each in self.processes.values() if each.part == part)
        return found


def processor_seconds(pid: int) -> float | None:
    """Return the processor seconds of one process; None if it has ended."""
    try:
        fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) / TICKS
