"""`bench soak`: mixed load above capacity, and what holds afterwards."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from scripts.bench.overload import check
from scripts.bench.overload.environment import Running, running
from scripts.bench.overload.load import MOST_UNDER_WAY, Load, Outcomes, send
from scripts.bench.overload.monitor import Observed, Probe, finish, monitoring
from scripts.bench.overload.options import Options
from scripts.bench.overload.report import Results, Verdict
from scripts.bench.overload.workload_mix import flows_of

Say = Callable[[str], None]

CALM_SECONDS = 3.0
"""Seconds of probes before the load, which define normal latency."""
AFTER_SECONDS = 15.0
"""Seconds of probes after the load."""
MOST_MEMORY = 200e6
MOST_GROWTH = 15e6
"""Bytes by which memory may grow from the middle third of the load to the last."""
LEAST_MINUTES = 10
"""Memory growth of shorter runs is not judged: it includes memory that is allocated once."""
BACK_SECONDS = 5.0
NORMAL_SECONDS = 0.05
"""A probe is normal if it takes at most this, or three times as long as without load."""
REPORT_SECONDS = 10.0
ASKED = 200
SHOWN_LINES = 12


class Span(NamedTuple):
    """When the load began, ended and was drained, on the monotonic clock."""

    began: float
    ended: float
    drained: float


def run(options: Options, say: Say) -> Results:
    """Send the load and compare."""
    flows = flows_of(options.factor, datetime.now(UTC))
    load = Load(options.port, flows, options.seed, options.factor)
    with running(options) as environment:
        with monitoring(environment.port, environment.pid, options.clients) as monitor:
            time.sleep(CALM_SECONDS)
            began = time.monotonic()
            send(load, options.minutes * 60, reporter(say, options.minutes * 60))
            span = Span(began, load.ended, load.drained)
            time.sleep(max(0.0, load.ended + AFTER_SECONDS - time.monotonic()))
            seen = finish(monitor)
        say("comparing what was sent with what is stored")
        found = check.compare(environment.url, [flow.ledger for flow in flows])
        say("comparing rollups and answers with raw readings")
        verified = check.verify(environment.url, say)
        answered = check.wrong_answers(environment.url, ASKED)
        return results(environment, options, load, span, seen, found, verified, answered)


def reporter(say: Say, seconds: float) -> Callable[[Load, float], None]:
    """Return a function that prints progress now and then."""
    last = 0.0

    def report(load: Load, at: float) -> None:
        nonlocal last
        if at < last + min(REPORT_SECONDS, seconds / 5):
            return
        last = at
        rows = load.rows.values()
        begun, busy, taken = (sum(getattr(row, name) for row in rows) for name in ("begun", "busy", "taken"))
        say(
            f"  {at:5.0f} of {seconds:.0f} s: {begun:,} requests, {taken:,} taken, {busy:,} refused as busy, "
            f"{len(load.tasks):,} under way; {sum(row.items for row in rows) / at:,.0f} items/s; "
            f"{sum(load.faults.values())} faults"
        )

    return report


def results(
    environment: Running,
    options: Options,
    load: Load,
    span: Span,
    seen: Observed,
    found: check.Found,
    verified: check.Verified,
    answered: tuple[int, int],
) -> Results:
    """Judge a run by its verdicts."""
    seconds = span.drained - span.began
    rows = list(load.rows.values())
    busy, begun = sum(row.busy for row in rows), sum(row.begun for row in rows)
    memory = memory_of(seen, span)
    back, normal = back_to_normal(seen.probes, span)
    under = [probe.seconds for probe in seen.probes if span.began <= probe.at < span.ended and probe.status == 200]
    faults = sum(load.faults.values())
    verdicts = [
        Verdict("the load was above capacity", busy + load.not_begun > 0, f"{busy / begun:.1%} refused as busy"),
        Verdict("no answer but success, what an invalid item earns, and busy", faults == 0, f"{faults:,} others"),
        Verdict(
            "every answered item is stored, once, right",
            found.wrong == 0,
            f"{found.certain:,} answered, {found.readings:,} stored, {found.wrong:,} blocks wrong",
        ),
        Verdict("rollups equal raw readings", verified.holds, verified.figure),
        Verdict("answers equal raw readings", answered[1] == 0, f"{answered[0]} asked, {answered[1]} differ"),
        Verdict("memory stays under 200 MB", memory.most < MOST_MEMORY, f"at most {memory.most / 1e6:.0f} MB"),
        Verdict(
            "memory is flat",
            memory.growth < MOST_GROWTH or options.minutes < LEAST_MINUTES,
            memory.figure + ("; too short to be judged" if options.minutes < LEAST_MINUTES else ""),
        ),
        Verdict(
            "a single reading is as fast as before within 5 s",
            back <= BACK_SECONDS,
            f"after {back:.1f} s; normal is up to {normal * 1000:.0f} ms",
        ),
    ]
    notes = [
        f"Beside it a single reading every tenth of a second, on a connection of its own: p50 {quantile(under, 0.5)}, "
        f"p99 {quantile(under, 0.99)} ms ({len(under)} taken). {options.clients} live clients received "
        f"{seen.received_bytes / 1e6:,.1f} MB and connected again {seen.reconnects} times.",
        f"{load.not_begun:,} requests were due and not begun, since {MOST_UNDER_WAY:,} were under way. "
        f"All answers arrived {span.drained - span.ended:.1f} s after the last request was sent.",
        *(f"Fault, {count} times: {text}" for text, count in load.faults.most_common(5)),
        *(f"Wrong: {text}" for text in found.faults),
        *(f"The service said: {line}" for line in (last_words(environment.log) if faults else ())),
    ]
    title = f"{environment.version}; {seconds / 60:.1f} minutes, {options.workers} worker{'s'[: options.workers - 1]}"
    heads = ("", "requests", "taken", "busy", "items/s", "p50 ms", "p99 ms")
    return Results(title, heads, [cells(row, seconds) for row in rows], verdicts, notes)


def last_words(log: Path) -> Sequence[str]:
    """Return the last lines of a log."""
    return log.read_text(errors="replace").splitlines()[-SHOWN_LINES:]


def cells(row: Outcomes, seconds: float) -> Sequence[str]:
    """Return a row as text."""
    latencies = [quantile(row.latencies, share) for share in (0.5, 0.99)]
    items = f"{row.items / seconds:,.0f}" if row.items else ""
    return (row.name, f"{row.begun:,}", f"{row.taken:,}", f"{row.busy:,}", items, *latencies)


def quantile(seconds: Sequence[float], share: float) -> str:
    """Return a quantile in milliseconds as text."""
    ordered = sorted(seconds)
    return f"{ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000:,.0f}" if ordered else ""


class Memory(NamedTuple):
    """Bytes of the largest process of the service."""

    most: int
    growth: float
    """From the middle third of the load to the last."""
    slope: float
    """Bytes a minute, over the last two thirds."""

    @property
    def figure(self) -> str:
        """Return growth and slope as text."""
        return f"{self.growth / 1e6:+.1f} MB in the last third; {self.slope / 1e6:+.2f} MB a minute"


def memory_of(seen: Observed, span: Span) -> Memory:
    """Return the memory of the service during the load."""
    third = (span.ended - span.began) / 3
    middle = [size for at, size in seen.memory if span.began + third <= at < span.began + 2 * third]
    last = [size for at, size in seen.memory if span.began + 2 * third <= at < span.ended]
    both = [(at / 60, size) for at, size in seen.memory if span.began + third <= at < span.ended]
    growth = statistics.median(last) - statistics.median(middle) if middle and last else 0.0
    slope = statistics.linear_regression(*zip(*both, strict=True)).slope if len(both) > 1 else 0.0
    return Memory(max((size for _, size in seen.memory), default=0), growth, slope)


def back_to_normal(probes: Sequence[Probe], span: Span) -> tuple[float, float]:
    """Return how long after the load probes are slower than normal, and the normal latency, in seconds.

    A second is normal if nine of ten of its probes are.
    """
    calm = [probe.seconds for probe in probes if probe.at < span.began] or [NORMAL_SECONDS]
    normal = max(NORMAL_SECONDS, 3 * statistics.median(calm))
    back = 0
    for second in range(int(AFTER_SECONDS)):
        of_second = [probe for probe in probes if second <= probe.at - span.ended < second + 1]
        slow = sum(probe.seconds > normal or probe.status != 200 for probe in of_second)
        if not of_second or slow > len(of_second) / 10:
            back = second + 1
    return float(back), normal
