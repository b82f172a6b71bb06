"""Import files of readings through HTTP, resuming after a break. See --help."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from rich.console import Console

from scripts.load.options import parse
from scripts.load.run import load


def main(arguments: Sequence[str] | None = None) -> int:
    """Import files and return the exit status."""
    return load(parse(arguments), Console())


if __name__ == "__main__":
    sys.exit(main())
