"""What can go wrong with the embedded database. Every message is one sentence with the value and the remedy."""


class EmbeddedError(Exception):
    """The embedded database cannot be used."""


class NodeMissing(EmbeddedError):
    """There is no Node.js to run it."""


class NodeTooOld(EmbeddedError):
    """The only Node.js found is too old."""


class NotInstalled(EmbeddedError):
    """Its npm package is not installed."""


class InstallFailed(EmbeddedError):
    """npm could not install its package."""


class DirectoryInUse(EmbeddedError):
    """Another process serves the data directory."""


class PortInUse(EmbeddedError):
    """Another process listens on the port."""


class StartFailed(EmbeddedError):
    """It ended, or said nothing, before it was ready."""
