"""Free ports on loopback."""

from __future__ import annotations

import os
import socket
from itertools import count

FIRST = 20_000  # below those that systems give to outgoing connections, which would take one before it is used
EACH = 300
SHARES = 40
# Processes of one run have ids close to each other, so that none is given what another is about to use.
_share = FIRST + os.getpid() % SHARES * EACH
_next = count()


def free_port() -> int:
    """Return a port that nothing listens on, another one each time."""
    for _ in range(EACH):
        port = _share + next(_next) % EACH
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError(f"no port from {_share} to {_share + EACH - 1} is free")
