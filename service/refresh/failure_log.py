"""What goes wrong again and again is said once, until it went well in between; and noted where everyone sees it."""

from __future__ import annotations

import logging
from contextlib import suppress

import psycopg

from service.database.pool import Connection, statement
from service.log_format import described

log = logging.getLogger("hyperpulse")


class Complaints:
    """Says each kind of failure once; a kind is an SQLSTATE, or the class of the error where it has none."""

    def __init__(self) -> None:
        self.said: set[str] = set()

    def say(self, what: str, error: Exception) -> None:
        """Log what failed and why, in a line; with a traceback where the error is not the database's."""
        kind = (isinstance(error, psycopg.Error) and error.sqlstate) or type(error).__name__
        if kind in self.said:
            return
        self.said.add(kind)
        surprise = error if not isinstance(error, psycopg.Error | OSError) else None
        log.warning("%s: %s", what, described(error), exc_info=surprise)

    def forget(self) -> None:
        """Hear that all went well."""
        self.said.clear()


async def note_failure(connection: Connection, task: str, error: Exception) -> None:
    """Note in core.run that a task failed, if the database can."""
    with suppress(psycopg.Error):
        await connection.execute(statement("note_failure"), {"task": task, "message": reason(error)})


def reason(error: Exception) -> str:
    """Return the first line of an error's message, or its class where it has none."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
