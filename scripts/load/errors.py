"""Why an import ends early."""

from __future__ import annotations


class CannotRead(Exception):
    """A file cannot be imported; the message names it, says why and what to do."""


class CannotSend(Exception):
    """The service gave up or refused; the message says what it said."""
