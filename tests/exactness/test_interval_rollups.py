"""Rollups follow the rule of intervals through what happens to a user, and each step of that is needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest

from tests.support import sql_client
from tests.support.database import empty
from tests.support.interleaving import NOON, mutated
from tests.support.moments import DAY, HOUR, MINUTE
from tests.support.reference_model import Model
from tests.support.stored import Item, Part


def counted(start: int, end: int, value: float, device: str = "phone") -> Part:
    return Part("default", "ada", device, "interval", "steps", NOON + start, NOON + end, value)


def beat(device: str, at: int, steps: int) -> Item:
    return Item("default", "ada", device, NOON + at, None, steps, None)


@dataclass
class Story:
    """What happens to one user, in the database and in the model."""

    db: psycopg.Connection[Any]
    model: Model = field(default_factory=Model)

    def write(self, *items: Item) -> None:
        assert sql_client.write(self.db, items) == self.model.write(items)

    def merge(self, *parts: Part) -> None:
        assert sql_client.merge(self.db, parts) == self.model.merge(parts)

    def refresh(self, horizon: int) -> None:
        sql_client.refresh(self.db, NOON + horizon)

    def wrong(self) -> Iterator[Any]:
        """Yield the wrong answers to questions about the hours around noon, of quarters, hours and devices."""
        spans = [(NOON + n * MINUTE, NOON + (n + 15) * MINUTE) for n in range(-60, 240, 15)]
        spans += [(NOON + n * HOUR, NOON + (n + 1) * HOUR) for n in range(-1, 4)]
        devices = [None, *(device for _, device in self.model.devices)]
        for question in [("default", "ada", *span, device) for span in spans for device in devices]:
            if sql_client.summary(self.db, *question) != self.model.summary(*question):
                yield question
        whole = ("default", "ada", NOON - DAY, NOON + DAY)
        for bucket in ("15m", "1h", "1d"):
            if sql_client.vitals(self.db, *whole, bucket) != self.model.vitals(*whole, bucket):
                yield bucket
        yield from sql_client.drift(self.db, NOON - 2 * DAY, NOON + 2 * DAY)


def late_reading(story: Story) -> Iterator[None]:
    """What a watch sends late of one quarter leaves less of a phone's interval in the others."""
    story.merge(counted(0, HOUR, 600))
    story.write(beat("device_a", 50 * MINUTE, 10))
    story.refresh(DAY)
    yield
    story.write(beat("device_a", 5 * MINUTE, 300))
    yield
    story.refresh(DAY)
    yield


def horizon_within_an_hour(story: Story) -> Iterator[None]:
    """What comes above the horizon changes what counts below it in the same hour, and is not marked."""
    story.merge(counted(0, HOUR, 600))
    story.write(beat("device_a", 5 * MINUTE, 10))
    story.refresh(30 * MINUTE)
    yield
    story.write(beat("device_a", 45 * MINUTE, 300))
    yield
    story.refresh(45 * MINUTE)
    yield
    story.refresh(2 * HOUR)
    yield


def shrunk(story: Story) -> Iterator[None]:
    story.merge(counted(0, 3 * HOUR, 900))
    story.refresh(DAY)
    yield
    story.merge(counted(0, HOUR, 900))
    yield
    story.refresh(DAY)
    yield


def only_intervals(story: Story) -> Iterator[None]:
    """There is no reading that would have the new time marked."""
    story.merge(counted(-20 * MINUTE, 70 * MINUTE, 900))
    story.refresh(0)
    yield
    story.refresh(HOUR)
    yield
    story.refresh(DAY)
    yield


def worn_elsewhere(story: Story) -> Iterator[None]:
    """In a quarter in which one device measured, another one of the hour was worn."""
    story.merge(counted(0, 15 * MINUTE, 300), Part("default", "ada", "device_a", "worn", "", NOON, NOON + HOUR, 0.0))
    story.write(beat("device_a", 50 * MINUTE, 10))
    story.refresh(DAY)
    yield


def new_priority(story: Story) -> Iterator[None]:
    """It changes quarters in which the device measured nothing."""
    yield from worn_elsewhere(story)
    sql_client.set_priority(story.db, "default", "phone", 0)
    story.model.set_priority("default", "phone", 0)
    yield
    story.refresh(DAY)
    yield


def new_priority_of_a_metric(story: Story) -> Iterator[None]:
    """It changes what counts of the metric, and of no other."""
    yield from worn_elsewhere(story)
    for metrics in ({"calories": 0}, {"steps": 0}, {"steps": 5}, {"steps": None, "calories": None}):
        sql_client.set_priority(story.db, "default", "phone", None, metrics)
        story.model.set_priority("default", "phone", None, metrics)
        yield
        story.refresh(DAY)
        yield


def deleted(story: Story) -> Iterator[None]:
    """An interval that begins in the range goes, with what it counted after it."""
    story.merge(counted(-30 * MINUTE, 3 * HOUR, 900), counted(0, 2 * HOUR, 50, "watch"))
    story.refresh(DAY)
    yield
    which = ("default", "ada", NOON - HOUR, NOON, None)
    assert sql_client.delete_readings(story.db, *which) == story.model.delete(*which, intervals=True)
    yield
    story.refresh(DAY)
    yield


STORIES = [
    late_reading,
    horizon_within_an_hour,
    shrunk,
    only_intervals,
    worn_elsewhere,
    new_priority,
    new_priority_of_a_metric,
    deleted,
]


def goes_wrong(db: psycopg.Connection[Any], tell: Callable[[Story], Iterator[None]]) -> bool:
    empty(db)
    sql_client.place_horizon(db, NOON - DAY)
    story = Story(db)
    return any(True for _ in tell(story) for _ in story.wrong())


@pytest.mark.parametrize("tell", STORIES)
def test_rollups_follow_the_rule(calm: psycopg.Connection[Any], tell: Callable[[Story], Iterator[None]]) -> None:
    assert not goes_wrong(calm, tell)


@pytest.mark.parametrize(
    ("function", "pattern", "replacement", "tell"),
    [
        ("hour_bits", r"RETURN hours.*?;", "RETURN quarters;", late_reading),
        ("wide_marks", r"THEN api_internal\.hour_bits\(s\.quarters\)", "THEN s.quarters | s.quarters", late_reading),
        ("refresh_users", r"api_internal\.hour_bits\(m\.quarters\)", "m.quarters", late_reading),
        ("marks", r"h\.materialized > h\.hour", "false", horizon_within_an_hour),
        ("vitals_15m", r"OR NOT EXISTS", "OR EXISTS (SELECT) OR NOT EXISTS", horizon_within_an_hour),
        ("merge_intervals", r"old\.user_keys \|\| new.*?new\.ends\)", "new.user_keys, new.starts, new.ends)", shrunk),
        ("mark_new_time", r"WHERE s\.kind = 0", "WHERE false AND s.kind = 0", only_intervals),
        (
            "roll_up_cells",
            r"CASE WHEN count\(\*\) = 1 THEN min\(d\.device_key\) END",
            "min(d.device_key)",
            worn_elsewhere,
        ),
        (
            "set_device",
            r"r\.steps IS NOT NULL AND after\.steps_rank <> before\.steps_rank",
            "r.steps IS NOT NULL AND after.priority <> before.priority",
            new_priority_of_a_metric,
        ),
        ("delete_readings", r"PERFORM api_internal\.mark_cells.*?;", "NULL;", deleted),
        ("mark_cells", r"i\.ends_at - INTERVAL '1 microsecond'\)", "i.ts)", shrunk),
    ],
)
def test_each_step_of_the_rollups_is_needed(
    calm: psycopg.Connection[Any],
    function: str,
    pattern: str,
    replacement: str,
    tell: Callable[[Story], Iterator[None]],
) -> None:
    with mutated(calm, function, pattern, replacement):
        assert goes_wrong(calm, tell)
