"""Has the database do its upkeep, beside the refreshes of the elected process."""

from __future__ import annotations

import asyncio
from time import monotonic

from service.refresh.election import Elected, session, working_for_long
from service.refresh.failure_log import Complaints, note_failure
from service.settings import Settings

AGAIN_SECONDS = 30.0  # between two attempts: another process may be at it, and notes that at its end only
STOP_SECONDS = 1.0


class Upkeep:
    """Does the upkeep in a session of its own, since it may take long; failures are noted in the elected one."""

    def __init__(self, settings: Settings, elected: Elected) -> None:
        self.settings = settings
        self.elected = elected
        self.complaints = Complaints()
        self.not_before = 0.0
        self.task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Begin, unless it is under way or was a moment ago."""
        if monotonic() >= self.not_before and (self.task is None or self.task.done()):
            self.not_before = monotonic() + AGAIN_SECONDS
            self.task = asyncio.create_task(self.run())

    async def run(self) -> None:
        """Do it once."""
        try:
            async with (
                session(self.settings) as own,
                working_for_long(self.settings, own, embedded=self.elected.embedded),
            ):
                await own.execute("CALL api.upkeep()")
            self.complaints.forget()
        except Exception as error:
            self.complaints.say("the upkeep failed and is tried again", error)
            await note_failure(self.elected.connection, "upkeep", error)

    async def stop(self) -> None:
        """Cancel what is under way."""
        if self.task is not None:
            await stop(self.task)


async def stop(task: asyncio.Task[None]) -> None:
    """Cancel a task, and what it runs in the database with it; wait no longer than a moment."""
    task.cancel()
    await asyncio.wait({task}, timeout=STOP_SECONDS)
