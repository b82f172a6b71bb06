"""Samples that are written and ranked while refreshes run."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from tests.exactness.protocol.mutants import REFRESHERS, SHARED, Cases, Mutant, Scenario, judge, named
from tests.support import sql_client
from tests.support.interleaving import NOON, Stage
from tests.support.moments import DAY, HOUR, MINUTE
from tests.support.sample_model import Model
from tests.support.samples import Question, Sample, series, summary, write_samples

TENANT = "default"


def puff(device: str, ts: int, value: float) -> Sample:
    """A value of Ada's."""
    return Sample("ada", device, "hydration", ts, value)


class Play:
    """A stage, and what is right about the samples of Ada."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.model = Model()

    def write(self, *samples: Sample, db: psycopg.Connection[Any] | None = None) -> None:
        write_samples(db or self.stage.db, TENANT, samples)
        self.model.write(samples)

    def roll_up_what_is_before(self) -> None:
        """Have rollups of two devices in the chunks of the day, since a piece that makes a chunk is done once more."""
        for whole in (NOON - DAY, NOON - 8 * HOUR):  # a day, and hours of the day itself
            self.write(puff("watch", whole, 5), puff("phone", whole + 1, 5))
        sql_client.refresh(self.stage.db, NOON - HOUR)

    def wrong(self) -> list[str]:
        found = []
        for device in (None, *self.model.devices):
            for bucket in ("15m", "1h", "1d"):
                asked = Question("ada", NOON - 3 * DAY, NOON + 3 * DAY, ("hydration",), device, bucket, "UTC", 30)
                if (got := summary(self.stage.db, TENANT, asked)) != self.model.summary(asked):
                    found.append(f"summary of {device}: {got}")
                if (got := series(self.stage.db, TENANT, asked)) != self.model.series(asked):
                    found.append(f"series by {bucket} of {device}: {got}")
        return found

    def refreshed(self) -> list[str]:
        sql_client.refresh(self.stage.db, NOON + 2 * DAY)
        return self.wrong() + sql_client.drift(self.stage.db, NOON - 3 * DAY, NOON + 3 * DAY)


def late_on_a_day_that_goes_on(stage: Stage) -> list[str]:
    """A first value of a day comes below the horizon, and the day ends later."""
    play = Play(stage)
    sql_client.refresh(stage.db, NOON)
    play.write(puff("watch", NOON - 3 * HOUR, 100))
    sql_client.refresh(stage.db, NOON + HOUR)
    found = play.wrong()
    sql_client.refresh(stage.db, NOON + DAY)
    return found + play.wrong() + play.refreshed()


def written_during_a_refresh(stage: Stage, play: Play) -> list[str]:
    """A writer comes to a quarter that its refresh has read already."""
    play.write(puff("watch", NOON, 100), puff("phone", NOON + 1, 7))
    with stage.stopped_at("sample_1d"):
        refresh = stage.act(lambda db: sql_client.refresh(db, NOON + 2 * DAY))
        play.write(puff("watch", NOON + MINUTE, 3))
        found = play.wrong()
    refresh.end()
    return found + play.wrong() + play.refreshed()


def written_during_stale_time(stage: Stage) -> list[str]:
    """A writer comes to a stale quarter that its refresh has read already."""
    play = Play(stage)
    play.roll_up_what_is_before()
    sql_client.refresh(stage.db, NOON + 2 * DAY)
    return written_during_a_refresh(stage, play)


def written_during_new_time(stage: Stage) -> list[str]:
    """The same while the horizon passes what is there."""
    play = Play(stage)
    play.roll_up_what_is_before()
    return written_during_a_refresh(stage, play)


def written_over_an_announcement(stage: Stage) -> list[str]:
    """A writer has written above the horizon and not committed while a refresh moves the horizon past it."""
    play = Play(stage)
    play.write(puff("watch", NOON, 100))
    writer = stage.connect()
    with writer.transaction():
        play.write(puff("watch", NOON + DAY, 3), db=writer)
        refresh = stage.act(lambda db: sql_client.refresh(db, NOON + DAY + HOUR))
    refresh.end()
    return play.wrong() + play.refreshed()


def ranked_during_a_piece(stage: Stage) -> list[str]:
    """A priority changes while a refresh has read the old one."""
    play = Play(stage)
    play.roll_up_what_is_before()
    play.write(puff("watch", NOON, 100), puff("phone", NOON + 1, 7))
    with stage.stopped_at("sample_1d"):
        refresh = stage.act(lambda db: sql_client.refresh(db, NOON + 2 * DAY))
        change = stage.act(lambda db: sql_client.set_priority(db, TENANT, "phone", 1))
        found = play.wrong()
    refresh.end()
    change.end()
    play.model.priorities["phone"] = 1
    return found + play.wrong() + play.refreshed()


UNREAD = Mutant(
    "refresh_users",
    {r"s.ctid = ANY \(marks.rows\)": "s.day = refresh_users.day AND s.user_key = ANY (ours)"},
)
TOGETHER: Cases = [
    (
        late_on_a_day_that_goes_on,
        [
            (
                "only samples above the horizon are noted",
                Mutant("mark_samples", {r"WHERE t.day \+ [^\n]*": "WHERE t.hour >= horizon"}),
            )
        ],
    ),
    (written_during_stale_time, [("marks are deleted that were not read", UNREAD)]),
    (
        written_during_new_time,
        [
            ("marks are deleted that were not read", UNREAD),
            (
                "writers mark below the old horizon only",
                Mutant(
                    "mark_samples",
                    {r"SELECT h.announced FROM": "SELECT h.materialized - INTERVAL '10 days' FROM"},
                ),
            ),
        ],
    ),
    (
        written_over_an_announcement,
        [("writers do not hold the horizon", Mutant("hold_horizon", {SHARED: ""}))],
    ),
    (
        ranked_during_a_piece,
        [("a priority does not wait for refreshers", Mutant("set_device", {REFRESHERS: ""}))],
    ),
]


@pytest.mark.native
@named(TOGETHER)
def test_together(stage: Stage, scenario: Scenario, mutant: Mutant | None) -> None:
    judge(stage, scenario, mutant)
