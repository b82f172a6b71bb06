"""Import files of readings through HTTP, and go on where a break left off. See --help."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from rich.console import Console

from scripts.load.options import parse
from scripts.load.run import load


def main(arguments: Sequence[str] | None = None) -> int:
    """Import; the exit status."""
    return load(parse(arguments), Console())


if __name__ == "__main__":
    sys.exit(main())
