"""Long work takes turns of the event loop."""

from __future__ import annotations

import asyncio

from service.turns import Turns


def test_others_have_a_turn_between_two_pieces() -> None:
    async def work() -> list[str]:
        turns, done = Turns(), list[str]()

        async def piece(name: str) -> None:
            await turns.next()
            done.append(name)

        async def others() -> None:
            while len(done) < 6:
                done.append("others")
                await asyncio.sleep(0)

        await asyncio.gather(piece("first"), piece("second"), piece("third"), others())
        return done

    done = asyncio.run(work())
    assert [name for name in done if name != "others"] == ["first", "second", "third"]
    assert "others" in done[done.index("first") : done.index("second")]
    assert "others" in done[done.index("second") : done.index("third")]
