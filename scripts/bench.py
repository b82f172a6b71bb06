"""Measure how fast questions are answered, and what keeping the answers fast costs. See --help."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

if not __package__:  # started as a file
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scripts.benchmarks import live
from scripts.benchmarks.options import parse
from scripts.benchmarks.report import show, write_json
from scripts.benchmarks.run import run


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmarks; their exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments[:1] == ["live"]:
        return live.main(arguments[1:])
    options = parse(arguments)
    results = run(options, lambda line: print(line, file=sys.stderr, flush=True))
    # Wide enough for the table, in a pipe too.
    show(results, Console(width=max(140, Console().width)))
    if options.json is not None:
        write_json(results, options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
