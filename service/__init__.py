"""The Starlette layer: HTTP in front of the database."""

__version__ = "0.2.0"
