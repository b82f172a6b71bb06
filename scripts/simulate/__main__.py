"""Simulate people who send readings, and check the answers of the service at the end. See --help."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence

from rich.console import Console

from scripts.simulate.options import parse
from scripts.simulate.run import simulate
from scripts.simulate.walking import walk


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the simulator and return the exit status."""
    options = parse(arguments)
    return asyncio.run((walk if options.walks else simulate)(options, Console()))


if __name__ == "__main__":
    sys.exit(main())
