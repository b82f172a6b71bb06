"""Import files of readings through HTTP, and go on where a break left off. See --help."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

if not __package__:  # started as a file
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scripts.loading.options import parse
from scripts.loading.run import load


def main(arguments: Sequence[str] | None = None) -> int:
    """Import; the exit status."""
    return load(parse(arguments), Console())


if __name__ == "__main__":
    sys.exit(main())
