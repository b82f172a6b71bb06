"""The numbers that inputs must lie between, both ends allowed; the tables' constraints say the same."""

from __future__ import annotations

from typing import Final

RANGES: Final[dict[str, tuple[int, int]]] = {
    "heart_rate": (30, 220),  # beats per minute
    "steps": (0, 100_000),
    "calories": (0, 10_000),  # kilocalories
    "priority": (0, 1_000_000),
    "lowest": (-1_000_000_000, 1_000_000_000),  # of a declared metric
    "highest": (-1_000_000_000, 1_000_000_000),
    "most_per_second": (0, 1_000_000_000),
    "max_points": (1, 100_000),
    "page": (1, 1_000_000),
    "page_size": (1, 1_000),
    "limit": (1, 1_000),
}
MOST_IN_A_BATCH: Final = 1000  # heart rates in an envelope
MOST_IN_A_BULK: Final = 5000  # events in an envelope
