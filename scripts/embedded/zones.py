"""The compiled zone files of the PyPI package tzdata, with current time zone rules."""

from __future__ import annotations

import importlib.util
from pathlib import Path


def zone_files() -> Path | None:
    """Return the folder of the zone files of tzdata, or None if tzdata is not installed."""
    spec = importlib.util.find_spec("tzdata")
    return Path(spec.origin).parent / "zoneinfo" if spec and spec.origin else None
