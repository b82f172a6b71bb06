"""What requests wait for together, and leave."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

from service.auth.shared_task import begin_for_all
from service.errors import Overloaded


def test_an_error_that_no_request_waits_for_any_more_is_not_logged() -> None:
    logged: list[dict[str, Any]] = []

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: logged.append(context))
        is_away = asyncio.Event()

        async def read() -> None:
            await is_away.wait()
            raise Overloaded("The database cannot be reached at the moment; try again.")

        reading = begin_for_all(read())
        request = asyncio.create_task(wait_for(reading))
        await asyncio.sleep(0)
        request.cancel()
        await asyncio.wait({request})
        is_away.set()
        await asyncio.wait({reading})

    asyncio.run(main())
    gc.collect()
    assert logged == []


async def wait_for(task: asyncio.Task[None]) -> None:
    await asyncio.shield(task)
