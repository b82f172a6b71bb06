"""A run of `bench attacks`."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from scripts.bench.attacks import flood, limits
from scripts.bench.attacks.apart import apart
from scripts.bench.attacks.environment import Running, forget_peak, open_sockets, peak_bytes, running
from scripts.bench.attacks.lines import Tally, attack
from scripts.bench.attacks.options import FLOOD, LIMITS, Options, parse, title_of
from scripts.bench.attacks.others import Quality, send
from scripts.bench.attacks.scenarios import SCENARIOS, Scenario
from scripts.bench.ingest.report import machine
from scripts.bench.overload.report import Results, Verdict, show

Say = Callable[[str], None]

WARM_SECONDS = 2.0
LOOK_SECONDS = 0.5
SLACK = 10
"""Connections that others may have more than before."""
MOST_P99 = 0.25
MOST_MEMORY = 250e6
HEADS = (
    "attack", "lines", "opened", "at once", "ended", "answers", "gone after", "others", "failed", "calm: p50, p99",
    "meanwhile", "MB",
)  # fmt: skip


class Attacked(NamedTuple):
    """What an attack did."""

    scenario: Scenario
    lines: int
    tally: Tally
    at_once: int
    """The most connections that the service had beyond those of others."""
    gone_after: float
    """Seconds from the end of the attack until the service had ended all of its connections; infinite if it did not."""
    calm: Quality
    meanwhile: Quality
    peak: int

    @property
    def verdict(self) -> Verdict:
        """Return whether all bounds hold, and which do not."""
        p99 = self.meanwhile.quantile(0.99)
        broken = [
            what
            for is_broken, what in (
                (not p99 < MOST_P99, f"p99 {p99 * 1000:,.0f} ms"),
                (self.meanwhile.faults, f"{len(self.meanwhile.faults)} requests of others failed: {self.failures}"),
                (self.peak >= MOST_MEMORY, f"{self.peak / 1e6:,.0f} MB"),
                (math.isinf(self.gone_after), "connections are left in the end"),
            )
            if is_broken
        ]
        return Verdict(f"others are served beside {self.scenario.name}", not broken, "; ".join(broken))

    @property
    def failures(self) -> str:
        """Return what failed of others, by kind and status."""
        kinds = sorted({(each.what, each.status) for each in self.meanwhile.faults})
        return ", ".join(f"{what} {status}" for what, status in kinds)

    @property
    def cells(self) -> Sequence[str]:
        """Return a row of the table."""
        statuses = sorted((status, count) for status, count in self.tally.statuses.items() if status)
        return (
            self.scenario.name,
            f"{self.lines:,}",
            f"{self.tally.opened:,}",
            f"{self.at_once:,}",
            f"{self.tally.ended:,}",
            ", ".join(f"{count}×{status}" for status, count in statuses),
            f"{self.gone_after:.0f} s",
            f"{self.meanwhile.count:,}",
            f"{len(self.meanwhile.faults):,}",
            *(f"{quality.figure(0.5)}, {quality.figure(0.99)} ms" for quality in (self.calm, self.meanwhile)),
            f"{self.peak / 1e6:,.0f}",
        )


def measure(scenario: Scenario, options: Options, service: Running) -> Attacked:
    """Attack for a while, with others before and meanwhile; then wait until all connections are gone."""
    count = max(2, round(scenario.lines * options.scale))
    how = scenario.attack(count, service.keys.attacker)
    forget_peak(service.pid)
    with apart(send, service.port, service.keys.other, options.rate) as others:
        time.sleep(WARM_SECONDS)
        before, usual = time.monotonic(), 0
        while time.monotonic() < before + options.calm:
            usual = max(usual, open_sockets(service.pid))
            time.sleep(LOOK_SECONDS)
        begun, most = time.monotonic(), 0
        with apart(attack, service.port, how, yields=True) as attackers:
            while time.monotonic() < begun + options.seconds:
                time.sleep(LOOK_SECONDS)
                most = max(most, open_sockets(service.pid) - usual)
            ended = time.monotonic()
            attackers.send(None)
            while open_sockets(service.pid) > usual + SLACK and time.monotonic() < ended + options.patience:
                time.sleep(LOOK_SECONDS)
            is_over = open_sockets(service.pid) <= usual + SLACK
            gone_after = time.monotonic() - ended if is_over else math.inf
            attackers.send(None)
            tally = attackers.recv()
        others.send(None)
        samples = others.recv()
    calm, meanwhile = Quality(samples, before, begun), Quality(samples, begun, ended)
    return Attacked(scenario, count, tally, most, gone_after, calm, meanwhile, peak_bytes(service.pid))


def attack_all(options: Options, service: Running, say: Say) -> Results:
    """Attack in all chosen ways, one after the other."""
    done = []
    for scenario in SCENARIOS:
        if scenario.name in options.only:
            say(f"  {scenario.name}: {scenario.description}")
            done.append(measure(scenario, options, service))
            say("    " + "; ".join(f"{head} {cell}" for head, cell in zip(HEADS[1:], done[-1].cells[1:], strict=True)))
    title = title_of(options, service.version)
    processor = sum(each.tally.processor for each in done)
    notes = [
        "lines: connections that are kept up; ended: by the service; p50, p99 and failed: of requests of others; "
        "gone after: seconds from the end of an attack until all its connections were ended; MB: most of a process.",
        f"The attackers took {processor:.0f} s of the processor's time.",
    ]
    return Results(title, HEADS, [each.cells for each in done], [each.verdict for each in done], notes)


def run(options: Options, say: Say) -> list[Results]:
    """Measure what was chosen; each table has its own service."""
    found = []
    if any(scenario.name in options.only for scenario in SCENARIOS):
        with running(options, options.workers) as service:
            found.append(attack_all(options, service, say))
    if FLOOD in options.only:
        say("  flood")
        with running(options, options.workers) as service:
            found.append(flood.measure(options, service))
    if LIMITS in options.only:
        say("  limits")
        with running(options, limits.WORKERS) as service:
            found.append(limits.measure(options, service))
    return found


def main(arguments: Sequence[str], say: Say, console: Console) -> int:
    """Attack and print; the exit status is 1 where a bound is broken."""
    options = parse(arguments)
    found = run(options, say)
    for results in found:
        show(results, console)
    if options.json is not None:
        write_json(found, options.json)
    return max(results.status for results in found)


def write_json(found: Sequence[Results], path: Path) -> None:
    """Write the results as JSON."""
    document = {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "tables": [
            {**results._asdict(), "verdicts": [verdict._asdict() for verdict in results.verdicts]} for results in found
        ],
    }
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
