"""Retention of samples: it waits for who writes them, and for who is erased."""

from __future__ import annotations

import pytest

from tests.exactness.protocol.acts import ended
from tests.exactness.protocol.mutants import WRITERS, Cases, Mutant, Scenario, judge, named
from tests.exactness.protocol.retention import RETENTION, retain
from tests.support import sql_client
from tests.support.interleaving import NOON, Stage
from tests.support.moments import DAY, MINUTE
from tests.support.samples import Sample, write_samples


def samples_dropped_while_written_to(stage: Stage) -> list[str]:
    """Retention comes to samples of a day to which somebody has written, and not committed."""
    samples = [Sample("ada", device, "spo2", NOON + n * MINUTE, 90) for n in range(3) for device in ("watch", "ring")]
    write_samples(stage.db, "default", samples)
    sql_client.refresh(stage.db, NOON + 60 * DAY)
    retain(stage, None)  # compressed now, so that upkeep next drops them
    stage.db.execute(RETENTION, ["30 days"])
    writer = stage.connect()
    with writer.transaction():
        write_samples(writer, "default", [Sample("ada", "watch", "spo2", NOON + 9 * MINUTE, 90)])
        upkeep = stage.act(lambda db: db.execute("CALL api.upkeep()"))
    found = ended(upkeep)
    query = """
        SELECT m.count, (SELECT count(*) FROM core.sample)
          FROM api.metric_summary('default', 'ada', '2024-01-01Z', '2025-01-01Z', '{spo2}') AS m
    """
    answers = [stage.db.execute(query).fetchone()]
    sql_client.refresh(stage.db, NOON + 60 * DAY)
    answers.append(stage.db.execute(query).fetchone())
    retain(stage, "30 days")
    answers.append(stage.db.execute(query).fetchone())
    return found if answers == [(4, 7), (4, 7), (4, 0)] else [*found, f"count and stored samples are {answers}"]


def values_kept_while_erased(stage: Stage) -> list[str]:
    """Retention keeps the last values of a user who is being erased."""
    write_samples(stage.db, "default", [Sample(user, "watch", "spo2", NOON, 90) for user in ("ada", "bob")])
    sql_client.refresh(stage.db, NOON + 60 * DAY)
    query = "SELECT api_internal.keep_values(0, 100, '2024-01-01Z', '2025-01-01Z')"
    eraser = stage.connect()
    with eraser.transaction():
        sql_client.erase(eraser, "default", "ada")
        keeper = stage.act(lambda db: db.execute(query))
    return ended(keeper) + sql_client.keyless(stage.db)


TOGETHER: Cases = [
    (
        samples_dropped_while_written_to,
        [("retention of samples does not wait for writers", Mutant("close_samples", {WRITERS: ""}))],
    ),
    (
        values_kept_while_erased,
        [
            (
                "values of who is being erased are kept",
                Mutant("keep_values", {r"LOCK TABLE core.refresh_lock[^;]*;": ""}),
            )
        ],
    ),
]


@pytest.mark.native
@named(TOGETHER)
def test_together(stage: Stage, scenario: Scenario, mutant: Mutant | None) -> None:
    judge(stage, scenario, mutant)
