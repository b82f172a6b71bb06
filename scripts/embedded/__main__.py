"""Run the embedded database in the foreground: `python -m scripts.embedded --data DIR --port PORT`."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path
from types import FrameType

from scripts.embedded.errors import EmbeddedError
from scripts.embedded.server import serve


def interrupt(_number: int, _frame: FrameType | None) -> None:
    """Treat SIGTERM like Ctrl-C."""
    raise KeyboardInterrupt


def main() -> int:
    """Parse the arguments and serve."""
    parser = argparse.ArgumentParser(prog="python -m scripts.embedded", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="directory of the databases; created if it is missing")
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0, the default, takes a free one")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, interrupt)
    try:
        return serve(arguments.data, arguments.port)
    except EmbeddedError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
