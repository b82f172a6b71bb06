"""Retention, as its scenarios have it come."""

from __future__ import annotations

from tests.support.interleaving import Stage

RETENTION = "UPDATE core.setting SET value = %s WHERE name = 'raw_retention'"


def retain(stage: Stage, how_long: str | None) -> None:
    """Keep raw readings for so long, and let upkeep see to it."""
    stage.db.execute(RETENTION, [how_long])
    stage.db.execute("CALL api.upkeep()")
