"""The embedded TimescaleDB: start and install it, and the errors of both."""

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
from scripts.embedded.server import EmbeddedServer, address, password_file, start

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
    "address",
    "install",
    "password_file",
    "start",
]
