"""The errors of the embedded database. Every message is one sentence with the value and the remedy."""


class EmbeddedError(Exception):
    """The embedded database cannot be used."""


class NodeMissing(EmbeddedError):
    """Node.js is missing."""


class NodeTooOld(EmbeddedError):
    """The only Node.js found is too old."""


class NotInstalled(EmbeddedError):
    """The npm package of the database is not installed."""


class InstallFailed(EmbeddedError):
    """npm could not install the package."""


class DirectoryInUse(EmbeddedError):
    """Another process serves the data directory."""


class PortInUse(EmbeddedError):
    """Another process listens on the port."""


class StartFailed(EmbeddedError):
    """The gateway ended, or timed out, before it was ready."""
