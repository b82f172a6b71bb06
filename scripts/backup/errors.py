"""What cannot be backed up or restored."""

from __future__ import annotations


class CannotBackUp(Exception):
    """A backup or a restore cannot be done; the message says why and what to do."""
