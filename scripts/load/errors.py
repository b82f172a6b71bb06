"""Errors that end an import early."""

from __future__ import annotations


class CannotRead(Exception):
    """A file cannot be imported; the message names the file, the cause and the remedy."""


class CannotSend(Exception):
    """The service is away too long or refuses; the message says which."""
