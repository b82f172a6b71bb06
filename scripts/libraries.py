"""Install what the dashboard loads that others wrote (npm packages), unless that is done already."""

from __future__ import annotations

import sys
from pathlib import Path

from scripts.embedded import npm
from scripts.embedded.errors import EmbeddedError

FOLDER = Path(__file__).resolve().parent.parent / "service" / "dashboard" / "libraries"


def install() -> str | None:
    """Install them; return one sentence if that failed, since everything but the dashboard's charts works without."""
    if npm.is_installed(FOLDER):
        return None
    print("Installing the dashboard's chart library and typeface (two npm packages).", file=sys.stderr, flush=True)
    try:
        npm.install(FOLDER)
    except (npm.NpmFailed, EmbeddedError, OSError) as error:
        return f"The dashboard has no charts: its npm packages could not be installed ({str(error).rstrip('.')})."
    return None


def main() -> int:
    """Install, and say in one sentence why that failed if it did."""
    problem = install()
    if problem is not None:
        print(problem, file=sys.stderr)
    return int(problem is not None)


if __name__ == "__main__":
    sys.exit(main())
