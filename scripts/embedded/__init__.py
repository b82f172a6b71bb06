"""The embedded TimescaleDB: start it, install it, and the errors that both raise."""

from scripts.embedded.errors import (
    DirectoryInUse,
    EmbeddedError,
    InstallFailed,
    NodeMissing,
    NodeTooOld,
    NotInstalled,
    PortInUse,
    StartFailed,
)
from scripts.embedded.packages import install
from scripts.embedded.server import EmbeddedServer, start

__all__ = [
    "DirectoryInUse",
    "EmbeddedError",
    "EmbeddedServer",
    "InstallFailed",
    "NodeMissing",
    "NodeTooOld",
    "NotInstalled",
    "PortInUse",
    "StartFailed",
    "install",
    "start",
]
