"""Run a benchmark. See --help."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn

from rich.console import Console

from scripts.bench import analysts, keys, pooler, replicas, scale
from scripts.bench import options as answers_options
from scripts.bench import report as answers_report
from scripts.bench import run as answers
from scripts.bench.attacks import run as attacks
from scripts.bench.failover import options as failover_options
from scripts.bench.failover import run as failover
from scripts.bench.ingest import interleaved
from scripts.bench.ingest import options as ingest_options
from scripts.bench.ingest import report as ingest_report
from scripts.bench.ingest import run as ingest
from scripts.bench.ingest.processes import CannotStart
from scripts.bench.live import run as live
from scripts.bench.machines import options as machines_options
from scripts.bench.machines import run as machines
from scripts.bench.overload import backups, import_export, kills, soak, upload
from scripts.bench.overload import options as overload_options
from scripts.bench.overload import report as overload_report
from scripts.bench.overload.options import Options
from scripts.bench.overload.report import Results
from scripts.bench.overload.soak import Say
from scripts.bench.refresh import options as refresh_options
from scripts.bench.refresh import report as refresh_report
from scripts.bench.refresh import run as refresh
from scripts.bench.sustained import options as sustained_options
from scripts.bench.sustained import report as sustained_report
from scripts.bench.sustained import run as sustained

USAGE = """\
usage: bench [ingest | answers | scale | analysts | refresh | sustained | live | keys | soak | kills | upload | import |
              backups | replicas | attacks | failover | machines | pooler] [options]

  bench ingest     how many readings a second are stored, beside psql's COPY and what one would take instead
  bench answers    how fast questions are answered, and what keeping the answers fast costs
  bench scale      how load time, size, freshness and answers grow, up to 100 million readings
  bench analysts   how fast views, api.daily and the reports answer
  bench refresh    what a refresh costs, and how that grows with what changed and with the number of users
  bench sustained  which rate of late uploads can be sustained, with refreshes beside it
  bench live       how soon live clients receive a commit, and what live updates cost
  bench keys       what it costs that a service asks for keys
  bench soak       whether the service withstands more than it can take
  bench kills      whether everything is stored after kill -9 of service and database, under load
  bench upload     what an upload of gigabytes does to the memory of the service
  bench backups    what backups under load cost, and whether they are whole when they are restored
  bench replicas   what replicas give to questions, and what they cost a write and a read of it
  bench import     what an export of gigabytes does to it, of Apple Health
  bench failover   what clients notice when the host of the database fails and another one takes over
  bench machines   what clients notice when machines behind a balancer are upgraded, one after the other
  bench pooler     what PgBouncer costs
  bench attacks    what an attacker on the network, or a tenant that floods, does to others

Without a word ingest and answers are measured. `bench ingest --help` lists its options, and so do the others."""

WIDTH = 140
"""Columns of the output, enough for the tables in a pipe too."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmarks and return the exit status."""
    signal.signal(signal.SIGTERM, stop)
    try:
        return measure(list(sys.argv[1:] if arguments is None else arguments))
    except CannotStart as error:
        say(f"bench: {error}")
        return 1
    except KeyboardInterrupt:
        say("bench: stopped; servers are stopped, and databases are dropped unless --keep is given.")
        return 130


def measure(arguments: list[str]) -> int:
    """Run the benchmark that the first argument names."""
    match arguments:
        case ["ingest", *rest]:
            return measure_ingest(rest)
        case ["answers", *rest]:
            return measure_answers(rest)
        case ["scale", *rest]:
            return scale.main(rest, say, console())
        case ["keys", *rest]:
            return keys.main(rest)
        case ["replicas", *rest]:
            return replicas.main(rest, say, console())
        case ["analysts", *rest]:
            return measure_analysts(rest)
        case ["refresh", *rest]:
            return measure_refresh(rest)
        case ["sustained", *rest]:
            return measure_sustained(rest)
        case ["live", *rest]:
            return live.main(rest)
        case ["soak", *rest]:
            return measure_overload(soak.run, overload_options.parse_soak(rest))
        case ["kills", *rest]:
            return measure_overload(kills.run, overload_options.parse_kills(rest))
        case ["upload", *rest]:
            return measure_overload(upload.run, overload_options.parse_upload(rest))
        case ["backups", *rest]:
            return measure_overload(backups.run, overload_options.parse_backups(rest))
        case ["import", *rest]:
            return measure_overload(import_export.run, overload_options.parse_import(rest))
        case ["pooler", *rest]:
            return pooler.main(rest)
        case ["failover", *rest]:
            return measure_failover(failover_options.parse(rest))
        case ["machines", *rest]:
            return measure_machines(machines_options.parse(rest))
        case ["attacks", *rest]:
            return attacks.main(rest, say, console())
        case []:
            return measure_ingest([]) or measure_answers([])
        case ["-h" | "--help"]:
            print(USAGE)
            return 0
        case _:
            print(USAGE, file=sys.stderr)
            return 2


def measure_ingest(arguments: Sequence[str]) -> int:
    """Measure ingest."""
    options = ingest_options.parse(arguments)
    if options.turns:
        results = interleaved.run(options, say)
        ingest_report.show_turns(results, console())
    else:
        results = ingest.run(options, say)
        ingest_report.show(results, console())
    if options.json is not None:
        ingest_report.write_json(results, options.json)
    return 0


def measure_answers(arguments: Sequence[str]) -> int:
    """Measure answers."""
    options = answers_options.parse(arguments)
    results = answers.run(options, say)
    answers_report.show(results, console())
    if options.json is not None:
        answers_report.write_json(results, options.json)
    return 0


def measure_analysts(arguments: Sequence[str]) -> int:
    """Measure what analysts read in SQL."""
    options = analysts.parse(arguments)
    analysts.show(analysts.run(options, say), options, console())
    return 0


def measure_refresh(arguments: Sequence[str]) -> int:
    """Measure refreshes; the exit status is 1 if rollups are wrong."""
    options = refresh_options.parse(arguments)
    results = refresh.run(options, say)
    refresh_report.show(results, console())
    if options.json is not None:
        refresh_report.write_json(results, options.json)
    return 1 if results.problems else 0


def measure_sustained(arguments: Sequence[str]) -> int:
    """Measure sustained rates; the exit status is 1 if none is kept up."""
    options = sustained_options.parse(arguments)
    results = sustained.run(options, say)
    sustained_report.show(results, console())
    if options.json is not None:
        sustained_report.write_json(results, options.json)
    return 0 if any(row.is_kept_up for row in results.rows) else 1


def judge(results: Results, json: Path | None) -> int:
    """Show results with verdicts; the exit status is 1 if something does not hold."""
    overload_report.show(results, console())
    if json is not None:
        overload_report.write_json(results, json)
    return results.status


def measure_failover(options: failover_options.Options) -> int:
    """Fail over."""
    return judge(failover.run(options, say), options.json)


def measure_machines(options: machines_options.Options) -> int:
    """Upgrade machines."""
    return judge(machines.run(options, say), options.json)


def measure_overload(run: Callable[[Options, Say], Results], options: Options) -> int:
    """Overload or kill the service."""
    return judge(run(options, say), options.json)


def say(line: str) -> None:
    """Print progress to stderr, apart from the results."""
    print(line, file=sys.stderr, flush=True)


def console() -> Console:
    """Return the console that tables are printed on."""
    return Console(width=max(WIDTH, Console().width))


def stop(number: int, frame: FrameType | None) -> NoReturn:
    """Stop as on Ctrl-C."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
