"""How much is tried, by environment variables.

More of it finds more, and takes longer: see CONTRIBUTING.md.
"""

from __future__ import annotations

import os

QUESTIONS = int(os.environ.get("EXACTNESS_QUESTIONS", "480"))
"""Steps of random histories in all."""
EACH = 80
"""Steps of one history."""
TRIES = int(os.environ.get("EXACTNESS_TRIES", "16"))
"""Tries of the rule of intervals; fewer of what takes longer."""
FIRST = int(os.environ.get("EXACTNESS_SEED", "0"))
"""The seed of the first history, and of the first try."""
