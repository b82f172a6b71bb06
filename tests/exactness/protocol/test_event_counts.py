"""Counts of events: late ones are marked by day, and counted again by the next refresh."""

from __future__ import annotations

import pytest

from tests.exactness.protocol.mutants import Cases, Mutant, Scenario, judge, named
from tests.support import sql_client
from tests.support.interleaving import NOON, Stage, send_event
from tests.support.moments import DAY, HOUR, MINUTE


def late_event(stage: Stage) -> list[str]:
    """An event arrives below the horizon, and a refresh follows; another one arrives above it."""
    stage.write_event("one", NOON)
    sql_client.refresh(stage.db, NOON + DAY)
    stage.write_event("two", NOON + MINUTE)
    stage.write_event("three", NOON + DAY + HOUR + 1)
    found = stage.miscounted()
    sql_client.refresh(stage.db, NOON + DAY)
    row = stage.db.execute("SELECT count(*) FROM core.stale_event_day").fetchone()
    if row != (0,):
        found.append(f"{row} days are stale after a refresh")
    return found + stage.miscounted()


def event_over_an_announcement(stage: Stage) -> list[str]:
    """An event is stored above the horizon and not committed while a refresh moves the horizon past it."""
    writer = stage.connect()
    stage.write_event("one", NOON)
    with writer.transaction():
        send_event(writer, "two", NOON + MINUTE)
        refresh = stage.act(lambda db: sql_client.refresh(db, NOON + DAY))
    refresh.end()
    stage.events.append(NOON + MINUTE)
    return stage.miscounted()


def event_during_stale_time(stage: Stage) -> list[str]:
    """An event is stored in a stale day where its refresh has read already."""
    sql_client.refresh(stage.db, NOON + 2 * DAY)
    stage.write_event("one", NOON)
    with stage.stopped_at("event_1d"):
        refresh = stage.act(lambda db: sql_client.refresh(db, NOON + 2 * DAY))
        stage.write_event("two", NOON + MINUTE)
        found = stage.miscounted()
    refresh.end()
    return found + stage.miscounted()


ALONE: Cases = [
    (
        late_event,
        [
            (
                "no event is marked",
                Mutant("mark_stale_events", {r"WHERE c.ts < ": "WHERE false AND c.ts < "}),
            ),
            (
                "counts ignore stale days",
                Mutant("count_events", {r"WHERE s.tenant_key = ": "WHERE false AND s.tenant_key = "}),
            ),
            (
                "no stale event day is claimed",
                Mutant("refresh_stale_events", {r"WHERE claimed IS DISTINCT FROM version": "WHERE false"}),
            ),
            (
                "stale event days are forgotten",
                Mutant("refresh_stale_events", {r"CALL api_internal.refresh_events[^;]*;": ""}),
            ),
        ],
    ),
]
TOGETHER: Cases = [
    (
        event_over_an_announcement,
        [
            (
                "write_events does not hold the horizon",
                Mutant("write_events", {r"PERFORM api_internal.require_open\(tenant_ids\);": ""}),
            )
        ],
    ),
    (
        event_during_stale_time,
        [
            (
                "stale event days are forgotten whatever their version",
                Mutant("refresh_stale_events", {r" AND claimed = version(?=;|\s+FOR UPDATE)": ""}),
            )
        ],
    ),
]


@named(ALONE)
def test_alone(stage: Stage, scenario: Scenario, mutant: Mutant | None) -> None:
    judge(stage, scenario, mutant)


@pytest.mark.native
@named(TOGETHER)
def test_together(stage: Stage, scenario: Scenario, mutant: Mutant | None) -> None:
    judge(stage, scenario, mutant)
