"""Which rows the rollups hold: of what is left of a bucket, of the devices that met in it, and each written once."""

from __future__ import annotations

from tests.exactness.protocol.acts import refreshed
from tests.exactness.protocol.mutants import Cases, Mutant, Scenario, judge, named
from tests.support import sql_client
from tests.support.interleaving import NOON, Stage, beat
from tests.support.moments import DAY, HOUR, MINUTE

EVERYTHING = "SELECT DISTINCT user_key, time_bucket('1 day', bucket), ~ B'0'::bit(96) FROM rollup.user_15m"
CHANGED = r"(?:(?<=excluded.worn_minutes)|(?<=excluded.resting_heart_rate))(\s+)WHERE t IS DISTINCT FROM excluded"
GONE = r"WHERE g.device_key = 0(?= AND t.user_key = g.user_key)"
DEVICE_GONE = r"WHERE (?=t.user_key = g.user_key AND t.bucket = g.bucket AND t.device_key = g.device_key)"
DEVICE_CHANGED = r"(?<=steps = excluded.steps)(\s+)WHERE t IS DISTINCT FROM excluded"


def emptied(stage: Stage) -> list[str]:
    """Readings are deleted: first all of a quarter, then of an hour, of a day, and of everything."""
    devices = ("watch", "phone")
    moments = (NOON, NOON + 20 * MINUTE, NOON + 2 * HOUR, NOON + DAY)
    stage.write(*(beat(device, ts + turn, 100 + turn) for ts in moments for turn, device in enumerate(devices)))
    found = refreshed(stage, NOON + 3 * DAY)
    for end in (NOON + 15 * MINUTE, NOON + HOUR, NOON + 12 * HOUR, NOON + 2 * DAY):
        span = ("default", "ada", NOON, end, None)
        sql_client.delete(stage.db, *span)
        stage.model.delete(*span)
        found += stage.wrong() + refreshed(stage, NOON + 3 * DAY)
    return found + [f"{level} is not empty" for level in sql_client.LEVELS if stage.rows(level)]


def a_device_leaves(stage: Stage) -> list[str]:
    """Two devices met, and all that one of them measured is deleted."""
    stage.write(beat("watch", NOON, 100), beat("phone", NOON + 1, 7), beat("watch", NOON + 3 * HOUR, 9))
    found = refreshed(stage, NOON + 2 * DAY)
    if [stage.rows(level) for level in sql_client.LEVELS] != [2, 2, 1, 1, 2, 2, 2, 2]:
        found.append("devices that met have no rows of their own")
    span = ("default", "ada", NOON, NOON + HOUR, "phone")
    sql_client.delete(stage.db, *span)
    stage.model.delete(*span)
    found += stage.wrong() + refreshed(stage, NOON + 2 * DAY)
    return found + [
        f"{level} tells of a device that met no other" for level in sql_client.LEVELS[4:] if stage.rows(level)
    ]


def one_of_three_devices_leaves(stage: Stage) -> list[str]:
    """Three devices met, and all that one of them measured is deleted: the others still meet."""
    stage.write(beat("watch", NOON, 100), beat("phone", NOON + 1, 7), beat("ring", NOON + 2, 9))
    found = refreshed(stage, NOON + 2 * DAY)
    span = ("default", "ada", NOON, NOON + HOUR, "ring")
    sql_client.delete(stage.db, *span)
    stage.model.delete(*span)
    found += stage.wrong() + refreshed(stage, NOON + 2 * DAY)
    rows = [stage.rows(level) for level in sql_client.LEVELS]
    return found if rows == [1, 1, 1, 1, 2, 2, 2, 2] else [*found, f"rows are {rows}"]


def a_device_comes(stage: Stage) -> list[str]:
    """A second device measures where one was alone, and a third one in another quarter of the same day."""
    stage.write(beat("watch", NOON, 100), beat("watch", NOON + 3 * HOUR, 9))
    found = refreshed(stage, NOON + 2 * DAY)
    for item in (beat("phone", NOON + HOUR, 7), beat("phone", NOON + 3 * HOUR + 1, 5)):
        stage.write(item)
        found += stage.wrong() + refreshed(stage, NOON + 2 * DAY)
    return found


def refreshed_again(stage: Stage) -> list[str]:
    """All that is in the rollups is marked and refreshed again, and is as it should be: nothing is written."""
    devices = ("watch", "phone")
    moments = [NOON + turn * 50 * MINUTE for turn in range(40)]
    stage.write(*(beat(device, ts + turn, 100 + turn) for ts in moments for turn, device in enumerate(devices)))
    stage.write(beat("watch", NOON + 3 * DAY, 5))
    found = refreshed(stage, NOON + 5 * DAY)
    before = stage.versions()
    stage.db.execute("INSERT INTO core.stale_day (user_key, day, quarters) " + EVERYTHING)
    found += refreshed(stage, NOON + 5 * DAY)
    return found if stage.versions() == before else [*found, "rows were written that had not changed"]


ALONE: Cases = [
    (
        emptied,
        [
            (
                "quarters that are gone are left",
                Mutant("roll_up_quarters", {GONE: "WHERE false"}),
            ),
            (
                "quarters of devices that are gone are left",
                Mutant("roll_up_quarters", {DEVICE_GONE: "WHERE false AND "}),
            ),
            (
                "hours and days that are gone are left",
                Mutant("roll_up_levels", {GONE: "WHERE false"}),
            ),
            (
                "hours and days of devices that are gone are left",
                Mutant("roll_up_levels", {DEVICE_GONE: "WHERE false AND "}),
            ),
        ],
    ),
    (
        a_device_leaves,
        [
            (
                "quarters of the device that is alone now are left",
                Mutant("roll_up_quarters", {r"(?<=OR )NOT EXISTS \(SELECT FROM met": r"false AND \g<0>"}),
            ),
            (
                "quarters of a device alone are left",
                Mutant("roll_up_quarters", {DEVICE_GONE: "WHERE false AND "}),
            ),
            (
                "hours and days of a device alone are left",
                Mutant("roll_up_levels", {DEVICE_GONE: "WHERE false AND "}),
            ),
            (
                "who was alone is not corrected",
                Mutant("roll_up_quarters", {r", sole_device = excluded.sole_device": ""}),
            ),
            (
                "who was alone in an hour is not corrected",
                Mutant("roll_up_levels", {r", sole_device = excluded.sole_device": ""}),
            ),
        ],
    ),
    (
        one_of_three_devices_leaves,
        [
            (
                "quarters of a device that is gone are left where others met",
                Mutant(
                    "roll_up_quarters",
                    {r"NOT EXISTS \(SELECT FROM by_device(?=[^)]*device_key\))": r"false AND \g<0>"},
                ),
            ),
            (
                "hours and days of a device that is gone are left where others met",
                Mutant("roll_up_levels", {r"HAVING NOT bool_or\(k.is_kept\)": r"\g<0> AND k.device_key = 0"}),
            ),
        ],
    ),
    (
        a_device_comes,
        [
            (
                "who was alone is not corrected where another device comes",
                Mutant("roll_up_meetings", {r", sole_device = excluded.sole_device": ""}),
            ),
            (
                "devices that meet have no hours",
                Mutant("roll_up_levels", {r"AND c.sole_device IS NULL": "AND false"}),
            ),
            (
                "devices that were alone in a quarter have no hours",
                Mutant("roll_up_levels", {r"AND q.sole_device IS NOT NULL": "AND false"}),
            ),
            (
                "a device's row is looked for among its own only",
                Mutant("device_rows", {r"AND u.sole_device = \$2": "AND false"}),
            ),
            (
                "a device's row is looked for among the user's only",
                Mutant("device_rows", {r"AND d.device_key = \$2": "AND false"}),
            ),
        ],
    ),
    (
        refreshed_again,
        [
            ("quarters are written again", Mutant("roll_up_quarters", {CHANGED: ""})),
            ("quarters in which devices met are written again", Mutant("roll_up_meetings", {CHANGED: ""})),
            ("quarters of devices are written again", Mutant("roll_up_meetings", {DEVICE_CHANGED: ""})),
            ("hours and days are written again", Mutant("roll_up_levels", {CHANGED: ""})),
            ("hours and days of devices are written again", Mutant("roll_up_levels", {DEVICE_CHANGED: ""})),
        ],
    ),
]


@named(ALONE)
def test_alone(stage: Stage, scenario: Scenario, mutant: Mutant | None) -> None:
    judge(stage, scenario, mutant)
