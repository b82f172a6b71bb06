"""Where current rules of time zones are: the compiled zone files of the PyPI package tzdata."""

from __future__ import annotations

import importlib.util
from pathlib import Path


def zone_files() -> Path | None:
    """Return the folder of the installed package's zone files; None where it is not installed."""
    spec = importlib.util.find_spec("tzdata")
    return Path(spec.origin).parent / "zoneinfo" if spec and spec.origin else None
