"""The key that the scripts that are clients of the service send."""

from __future__ import annotations

import os


def key_headers() -> dict[str, str]:
    """Return the header that presents HYPERPULSE_KEY; empty where it is not set."""
    key = os.environ.get("HYPERPULSE_KEY")
    return {"Authorization": f"Bearer {key}"} if key else {}
