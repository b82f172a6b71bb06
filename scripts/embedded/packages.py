"""The npm package that the embedded database needs, installed once per lock file."""

from __future__ import annotations

import sys
from pathlib import Path

from scripts.embedded import npm
from scripts.embedded.errors import InstallFailed

HERE = Path(__file__).resolve().parent
PACKAGE = HERE / "node_modules" / "@unni-craftsman" / "pglite" / "package.json"


def install() -> None:
    """Install the package, unless it is installed for this lock file already."""
    if PACKAGE.is_file() and npm.is_installed(HERE):
        return
    print("Installing the embedded TimescaleDB (one npm package, about 22 MB).", file=sys.stderr, flush=True)
    try:
        npm.install(HERE)
    except npm.NpmFailed as error:
        raise InstallFailed(
            f"npm could not install the embedded database ({error}): check that "
            "this machine reaches an npm registry, or set DATABASE_URL to a TimescaleDB of your own."
        ) from None
