"""Install the npm packages of the dashboard, unless they are installed."""

from __future__ import annotations

import sys
from pathlib import Path

from scripts.embedded import npm
from scripts.embedded.errors import EmbeddedError

FOLDER = Path(__file__).resolve().parent.parent / "service" / "dashboard" / "libraries"


def install() -> str | None:
    """Install the packages; return one sentence if that fails, since only the dashboard's charts need them."""
    if npm.is_installed(FOLDER):
        return None
    print("Installing the dashboard's chart library and typeface (two npm packages).", file=sys.stderr, flush=True)
    try:
        npm.install(FOLDER)
    except (npm.NpmFailed, EmbeddedError, OSError) as error:
        return f"The dashboard has no charts: its npm packages could not be installed ({str(error).rstrip('.')})."
    return None


def main() -> int:
    """Install the packages, or print in one sentence why that fails."""
    problem = install()
    if problem is not None:
        print(problem, file=sys.stderr)
    return int(problem is not None)


if __name__ == "__main__":
    sys.exit(main())
