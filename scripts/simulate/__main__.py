"""Simulated people send readings, and at the end the service is asked what it made of them. See --help."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence

from rich.console import Console

from scripts.simulate.options import parse
from scripts.simulate.run import simulate


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the simulator; its exit status."""
    return asyncio.run(simulate(parse(arguments), Console()))


if __name__ == "__main__":
    sys.exit(main())
