"""Erasures: whatever meets one, nothing of the user comes back."""

from __future__ import annotations

import pytest

from tests.exactness.protocol.acts import ended, erase, gone, stale_days_only
from tests.exactness.protocol.mutants import HEEDLESS, PIECE, REFRESHERS, WRITERS, Cases, Mutant, Scenario, judge, named
from tests.support import sql_client
from tests.support.interleaving import NOON, Stage, beat
from tests.support.moments import DAY, MINUTE


def erased_during_a_piece(stage: Stage) -> list[str]:
    """Ada is erased when a refresh has written some of her rollups and not committed."""
    sql_client.refresh(stage.db, NOON + 2 * DAY)
    stage.write(beat("watch", NOON, 100))
    with stage.holding("rollup.user_1d", "INSERT"):
        refresh = stage.act(stale_days_only, held=True)
        erasure = stage.act(erase)
    return ended(refresh, erasure) + gone(stage)


def erased_while_new_time_is_marked(stage: Stage) -> list[str]:
    """Ada is erased when a refresh has found her readings in new time, and not marked them yet."""
    stage.write(beat("watch", NOON, 100))
    with stage.holding("core.stale_day", "INSERT"):
        refresh = stage.act(lambda db: sql_client.refresh(db, NOON + 2 * DAY), held=True)
        erasure = stage.act(erase)
    return ended(refresh, erasure) + gone(stage)


def erased_during_a_refresh(stage: Stage) -> list[str]:
    """Ada is erased while a refresh is about to read a stale day of hers, and the erasure waits for a writer."""
    sql_client.refresh(stage.db, NOON)
    stage.write(beat("watch", NOON - DAY, 100))
    writer, keeper = stage.connect(), stage.connect()
    with writer.transaction():
        with keeper.transaction():
            keeper.execute("LOCK TABLE core.reading IN ACCESS EXCLUSIVE MODE")
            refresh = stage.act(lambda db: sql_client.refresh(db, NOON))
            writer.execute("SELECT api_internal.hold_horizon()")
            erasure = stage.act(erase)
        stage.settle(refresh)
    refresh.end()
    erasure.end()
    return gone(stage)


def refreshed_during_an_erasure(stage: Stage) -> list[str]:
    """Ada's rollups are erased, and the erasure waits for a writer, when a refresh comes to a stale day of hers."""
    sql_client.refresh(stage.db, NOON + 2 * DAY)
    stage.write(beat("watch", NOON, 100))
    writer = stage.connect()
    with writer.transaction():
        writer.execute("SELECT api_internal.hold_horizon()")
        erasure = stage.act(erase)
        found = ended(stage.act(lambda db: sql_client.refresh(db, NOON + 2 * DAY)))
    return found + ended(erasure) + gone(stage)


def written_over_an_erasure(stage: Stage) -> list[str]:
    """A reading of Ada's is stored and not committed when she is erased."""
    stage.write(beat("watch", NOON, 100))
    writer = stage.connect()
    with writer.transaction():
        sql_client.write(writer, [beat("watch", NOON + MINUTE, 3)])
        erasure = stage.act(erase)
    erasure.end()
    return gone(stage)


def moved_over_an_erasure(stage: Stage) -> list[str]:
    """Somebody moves a reading of Ada's by an UPDATE that began before she was erased."""
    stage.write(beat("watch", NOON, 100))
    owner = stage.connect()
    with owner.transaction():
        erase(owner)
        move = stage.act(lambda db: db.execute("UPDATE api.readings SET ts = ts + INTERVAL '1 minute'").rowcount)
    found = [] if move.end() == 0 else ["it moved"]
    return found + gone(stage)


def asked_during_an_erasure(stage: Stage) -> list[str]:
    """Somebody asks while an erasure is not committed."""
    stage.write(beat("watch", NOON, 100))
    sql_client.refresh(stage.db, NOON + 2 * DAY)
    stage.write(beat("watch", NOON - DAY, 200))
    owner = stage.connect()
    with owner.transaction():
        erase(owner)
        found = stage.wrong()
    return found + gone(stage)


TOGETHER: Cases = [
    (
        erased_during_a_refresh,
        [("an erasure leaves the quarters of users", Mutant("erase_user", {r"'\{user_15m, ": "'{"}))],
    ),
    (
        erased_during_a_piece,
        [
            ("an erasure does not wait for refreshers", Mutant("erase_user", {REFRESHERS: ""})),
            (
                "a piece does not say that it is under way",
                Mutant("refresh_users", {PIECE: ""}),
            ),
        ],
    ),
    (
        erased_while_new_time_is_marked,
        [
            ("an erasure does not wait for refreshers", Mutant("erase_user", {REFRESHERS: ""})),
            (
                "new time is marked without saying so",
                Mutant("advance_horizon", {r"EXIT WHEN NOT api_internal.try_share_refresh[^;]*;": ""}),
            ),
        ],
    ),
    (
        refreshed_during_an_erasure,
        [("a piece does not leave while someone is erased", Mutant("refresh_users", {PIECE: HEEDLESS}))],
    ),
    (
        written_over_an_erasure,
        [("an erasure does not wait for writers", Mutant("erase_user", {WRITERS: ""}))],
    ),
    (
        moved_over_an_erasure,
        [
            (
                "an UPDATE brings back what is gone",
                Mutant("write_reading_row", {r"IF NOT FOUND THEN": "IF false THEN"}),
            )
        ],
    ),
    (asked_during_an_erasure, []),
]


@pytest.mark.native
@named(TOGETHER)
def test_together(stage: Stage, scenario: Scenario, mutant: Mutant | None) -> None:
    judge(stage, scenario, mutant)
