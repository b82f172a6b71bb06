"""Each step of the protocol is needed: without it some answer is wrong, and a scenario here notices.

A mutant is a function or view of sql/ with one step taken out. Each scenario finds nothing wrong in the functions
as they are, and something in every mutant that it is named with.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import pytest

from tests.exactness.scenarios import (
    Scenario,
    announced_only,
    asked_during_an_erasure,
    asked_during_new_time,
    asked_during_stale_time,
    erased_during_a_refresh,
    event_during_stale_time,
    event_over_an_announcement,
    horizon_within_a_day,
    late_event,
    late_reading,
    moved_over_an_erasure,
    new_priority,
    priority_over_an_announcement,
    torn_series,
    torn_summary,
    write_over_an_announcement,
    written_during_new_time,
    written_during_stale_time,
    written_over_an_erasure,
    written_to_a_marked_day,
)
from tests.exactness.stage import Stage, install, script


@dataclass(frozen=True)
class Mutant:
    """A file of sql/, and the regular expressions whose matches are replaced in it, each once."""

    name: str
    changes: dict[str, str]

    def text(self) -> str:
        text = script(self.name)
        for pattern, replacement in self.changes.items():
            text, times = re.subn(pattern, replacement, text, flags=re.DOTALL)
            assert times == 1, f"{pattern} is {times} times in {self.name}: fit the mutant to the file again"
        return text


STABLE = r"LANGUAGE plpgsql STABLE"
LEVELS = r"CALL api.refresh_levels\(old_horizon, new_horizon, false\);"
ALONE: list[tuple[str, Scenario, Mutant | None]] = [
    ("functions as they are", late_reading, None),
    (
        "nothing is marked stale",
        late_reading,
        Mutant("functions/mark_stale", {r"WHERE c.ts < \(": "WHERE false AND c.ts < ("}),
    ),
    (
        "the router ignores stale days",
        late_reading,
        Mutant("functions/parts", {r"WHERE s.user_key = ": "WHERE false AND s.user_key = "}),
    ),
    (
        "nothing is claimed",
        late_reading,
        Mutant("functions/refresh", {r"WHERE claimed IS DISTINCT FROM version": "WHERE false"}),
    ),
    (
        "stale days are forgotten, not refreshed",
        late_reading,
        Mutant("functions/refresh", {r"CALL api.refresh_levels\(piece[^;]*;": ""}),
    ),
    (
        "vitals_1h reads stale days from the rollup",
        late_reading,
        Mutant("views/vitals_1h", {r"WHERE s.user_key = r.user_key": "WHERE false AND s.user_key = r.user_key"}),
    ),
    (
        "raw_minutes leaves stale days out",
        late_reading,
        Mutant("views/raw_minutes", {r"WHERE s.day < ": "WHERE false AND s.day < "}),
    ),
    ("functions as they are", late_event, None),
    (
        "no event is marked",
        late_event,
        Mutant("functions/mark_stale_events", {r"WHERE c.ts < ": "WHERE false AND c.ts < "}),
    ),
    (
        "counts ignore stale days",
        late_event,
        Mutant("functions/count_events", {r"WHERE s.tenant_key = ": "WHERE false AND s.tenant_key = "}),
    ),
    (
        "no stale event day is claimed",
        late_event,
        Mutant("functions/refresh_stale_events", {r"WHERE claimed IS DISTINCT FROM version": "WHERE false"}),
    ),
    (
        "stale event days are forgotten",
        late_event,
        Mutant("functions/refresh_stale_events", {r"CALL api.refresh_events[^;]*;": ""}),
    ),
    ("functions as they are", new_priority, None),
    (
        "a new priority marks nothing",
        new_priority,
        Mutant("functions/set_device", {r"IF set_device.priority <> device.priority": "IF false"}),
    ),
    (
        "the refresh is not forced",
        new_priority,
        Mutant("functions/refresh", {r"new_horizon\), true\)": "new_horizon), false)"}),
    ),
    ("functions as they are", announced_only, None),
    (
        "the router trusts the announced horizon",
        announced_only,
        Mutant("functions/parts", {r"SELECT h.materialized INTO": "SELECT h.announced INTO"}),
    ),
    ("functions as they are", horizon_within_a_day, None),
    (
        "coarse rollups first",
        horizon_within_a_day,
        Mutant(
            "functions/refresh_levels", {r"AS l \(part, name, width\)": r"AS l (part, name, width) ORDER BY part DESC"}
        ),
    ),
    ("the horizon moves without a refresh", horizon_within_a_day, Mutant("functions/refresh", {LEVELS: ""})),
]
TOGETHER: list[tuple[str, Scenario, Mutant | None]] = [
    ("functions as they are", write_over_an_announcement, None),
    (
        "writers do not hold the horizon",
        write_over_an_announcement,
        Mutant("functions/hold_horizon", {r"PERFORM pg_advisory_xact_lock_shared[^;]*;": ""}),
    ),
    (
        "write_readings does not hold the horizon",
        write_over_an_announcement,
        Mutant("functions/write_readings", {r"PERFORM api.hold_horizon\(\);": ""}),
    ),
    (
        "the refresh does not wait for writers",
        write_over_an_announcement,
        Mutant("functions/refresh", {r"PERFORM pg_catalog.pg_advisory_xact_lock\([^;]*;(?=\s+UPDATE)": ""}),
    ),
    ("functions as they are", priority_over_an_announcement, None),
    (
        "set_device does not hold the horizon",
        priority_over_an_announcement,
        Mutant(
            "functions/set_device", {r"PERFORM api.hold_horizon\(\);": "", r"PERFORM pg_advisory_xact_lock[^;]*;": ""}
        ),
    ),
    ("functions as they are", asked_during_new_time, None),
    (
        "the horizon moves before the refresh",
        asked_during_new_time,
        Mutant(
            "functions/refresh",
            {LEVELS: r"UPDATE core.horizon SET materialized = new_horizon; COMMIT; \g<0>"},
        ),
    ),
    (
        "the router trusts the announced horizon",
        asked_during_new_time,
        Mutant("functions/parts", {r"SELECT h.materialized INTO": "SELECT h.announced INTO"}),
    ),
    ("functions as they are", asked_during_stale_time, None),
    (
        "stale days are forgotten before their refresh",
        asked_during_stale_time,
        Mutant(
            "functions/refresh", {r"RAISE LOG": "DELETE FROM core.stale_day WHERE claimed = version; COMMIT; RAISE LOG"}
        ),
    ),
    ("functions as they are", written_during_new_time, None),
    (
        "writers mark below the old horizon only",
        written_during_new_time,
        Mutant("functions/mark_stale", {r"SELECT announced FROM": "SELECT materialized FROM"}),
    ),
    ("functions as they are", written_during_stale_time, None),
    (
        "stale days are forgotten whatever their version",
        written_during_stale_time,
        Mutant("functions/refresh", {r" AND claimed = version(?=;|\s+FOR UPDATE)": ""}),
    ),
    ("functions as they are", written_to_a_marked_day, None),
    (
        "the refresh of stale days does not wait for writers",
        written_to_a_marked_day,
        Mutant("functions/refresh", {r"PERFORM pg_catalog.pg_advisory_xact_lock\([^;]*;(?=\s+COMMIT)": ""}),
    ),
    ("functions as they are", event_over_an_announcement, None),
    (
        "write_events does not hold the horizon",
        event_over_an_announcement,
        Mutant("functions/write_events", {r"PERFORM api.hold_horizon\(\);": ""}),
    ),
    ("functions as they are", event_during_stale_time, None),
    (
        "stale event days are forgotten whatever their version",
        event_during_stale_time,
        Mutant("functions/refresh_stale_events", {r" AND claimed = version(?=;|\s+FOR UPDATE)": ""}),
    ),
    ("functions as they are", erased_during_a_refresh, None),
    (
        "an erasure does not wait for the refresh",
        erased_during_a_refresh,
        Mutant("functions/erase_user", {r"PERFORM api.hold_refresh\(\);": ""}),
    ),
    (
        "an erasure leaves the minutes of devices",
        erased_during_a_refresh,
        Mutant("functions/erase_user", {r"\(1, 'device_1m'\), ": ""}),
    ),
    ("functions as they are", written_over_an_erasure, None),
    (
        "an erasure does not wait for writers",
        written_over_an_erasure,
        Mutant("functions/erase_user", {r"PERFORM pg_advisory_xact_lock[^;]*;": ""}),
    ),
    ("functions as they are", moved_over_an_erasure, None),
    (
        "an UPDATE brings back what is gone",
        moved_over_an_erasure,
        Mutant("functions/write_reading_row", {r"IF NOT FOUND THEN": "IF false THEN"}),
    ),
    ("functions as they are", asked_during_an_erasure, None),
    ("functions as they are", torn_summary, None),
    ("a summary in two snapshots", torn_summary, Mutant("functions/rows", {STABLE: "LANGUAGE plpgsql VOLATILE"})),
    ("functions as they are", torn_series, None),
    ("a series in two snapshots", torn_series, Mutant("functions/rows", {STABLE: "LANGUAGE plpgsql VOLATILE"})),
]


def named(cases: list[tuple[str, Scenario, Mutant | None]]) -> Any:
    return pytest.mark.parametrize(
        ("scenario", "mutant"),
        [pytest.param(scenario, mutant, id=f"{scenario.__name__}-{name}") for name, scenario, mutant in cases],
    )


def judge(stage: Stage, scenario: Scenario, mutant: Mutant | None) -> None:
    if mutant is None:
        assert scenario(stage) == []
        return
    install(stage.db, mutant.text())
    try:
        assert scenario(stage) != [], "nobody noticed"
    finally:
        install(stage.db, script(mutant.name))


@named(ALONE)
def test_alone(stage: Stage, scenario: Scenario, mutant: Mutant | None) -> None:
    judge(stage, scenario, mutant)


@pytest.mark.native
@named(TOGETHER)
def test_together(stage: Stage, scenario: Scenario, mutant: Mutant | None) -> None:
    judge(stage, scenario, mutant)
