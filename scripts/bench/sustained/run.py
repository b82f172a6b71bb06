"""`bench sustained`: a run from empty databases to the table of results."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from scripts.bench.ingest.processes import CannotStart
from scripts.bench.ingest.report import machine
from scripts.bench.revision import ROOT, checked_out, short_hash
from scripts.bench.sustained import hyperpulse, plain
from scripts.bench.sustained.hyperpulse import Code
from scripts.bench.sustained.options import Options
from scripts.bench.sustained.result_row import Row
from scripts.bench.sustained.search import Stopped

Say = Callable[[str], None]


class Results(NamedTuple):
    """All measurements."""

    machine: str
    version: str
    options: Options
    rows: list[Row]
    left_out: list[str]
    """What was not measured, and why."""


def run(options: Options, say: Say) -> Results:
    """Measure each contestant on a new database."""
    results = Results(machine(), "", options, [], [])
    if "hyperpulse" in options.only:
        results = of_code(results, Code("Hyperpulse", ROOT), options.database, say)
    if "plain" in options.only:
        if options.server_url is None:
            results.left_out.append(f"{plain.NAME}: only on a server, named by BENCH_DATABASE_URL.")
        else:
            results.rows.append(plain.measure(options, say))
    if "against" in options.only and options.against:
        name = f"Hyperpulse {short_hash(options.against)}"
        with checked_out(options.against) as tree:
            results = of_code(results, Code(name, tree), f"{options.database}_against", say)
    return results


def of_code(results: Results, code: Code, database: str, say: Say) -> Results:
    """Measure a revision, or note why it is left out."""
    try:
        version, rows = hyperpulse.measure(results.options, code, database, say)
    except (Stopped, CannotStart) as reason:
        say(f"  {reason}")
        results.left_out.append(f"{code.name}: {reason}.")
        return results
    results.rows.extend(rows)
    return results._replace(version=results.version or version)
