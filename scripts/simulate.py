"""Simulated people send readings, and at the end the service is asked what it made of them. See --help."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

if not __package__:  # started as a file
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scripts.simulation.options import parse
from scripts.simulation.run import simulate


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the simulator; its exit status."""
    return asyncio.run(simulate(parse(arguments), Console()))


if __name__ == "__main__":
    sys.exit(main())
