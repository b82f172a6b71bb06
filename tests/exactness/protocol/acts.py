"""What scenarios of several files do and look for."""

from __future__ import annotations

from typing import Any

import psycopg

from tests.support import sql_client
from tests.support.interleaving import NOON, Act, Stage, beat
from tests.support.moments import DAY, HOUR

RANGE = ("default", "ada", NOON - 2 * DAY, NOON + 2 * DAY)
CHECKED = (NOON - 4 * DAY, NOON + 4 * DAY)
STALE = "CALL api_internal.refresh_stale_days('infinity', NULL)"


def roll_up_what_is_before(stage: Stage) -> None:
    """Have rollups of two devices in the chunks of the day, since a piece that makes a chunk is done once more."""
    for whole in (NOON - DAY, NOON - 8 * HOUR):  # a day, and hours of the day itself
        stage.write(beat("watch", whole, 5), beat("phone", whole + 1, 5))
    sql_client.refresh(stage.db, NOON - HOUR)


def refreshed(stage: Stage, horizon: int) -> list[str]:
    """Refresh; return what is stale, answered wrongly or wrong in the rollups afterwards."""
    sql_client.refresh(stage.db, horizon)
    found = [] if sql_client.stale_days(stage.db) == 0 else ["days are stale after a refresh"]
    return found + stage.wrong() + [str(row) for row in sql_client.drift(stage.db, *CHECKED)]


def stale_days_only(db: psycopg.Connection[Any]) -> None:
    """Roll up without moving the horizon, whose lock would be the first piece's too: both are one transaction."""
    db.execute(STALE)


def ended(*acts: Act) -> list[str]:
    """Wait for the end of what was started; return the errors of the database."""
    found = []
    for act in acts:
        try:
            act.end()
        except psycopg.Error as error:
            found.append(f"{error!r}")
    return found


def erase(db: psycopg.Connection[Any]) -> int:
    return sql_client.erase(db, "default", "ada")


def gone(stage: Stage) -> list[str]:
    """Return what is still known of Ada."""
    stage.model.erase("default", "ada")
    return stage.wrong() + sql_client.keyless(stage.db)
