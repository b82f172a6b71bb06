"""Names of time zones: each means the zone of the IANA database, not the abbreviation that PostgreSQL prefers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from psycopg import errors

# Of each year a summer and a winter, north and south.
MOMENTS = [datetime(year, month, 14, 22, 30, tzinfo=UTC) for year in (1995, 2010, 2026) for month in (1, 7)]
# Zones of their own until IANA's 2024b, links since; some systems still ship the former, which differ before 1996.
LINKS_SINCE_2024B = {"CET", "CST6CDT", "EET", "EST", "EST5EDT", "HST", "MET", "MST", "MST7MDT", "PST8PDT", "WET"}
MACHINE = {"localtime", "Factory", "posixrules"}  # what the machine is set to, and no zone at all


def clock(db: psycopg.Connection, name: str) -> list[datetime]:
    """What a clock in the zone of a name shows, by api.time_zone."""
    query = "SELECT m AT TIME ZONE z.name FROM (SELECT api.time_zone(%s)) AS z (name), unnest(%s::timestamptz[]) AS m"
    return [moment for (moment,) in db.execute(query, [name, MOMENTS]).fetchall()]


def test_every_zone_of_the_server_is_known_and_is_the_zone(db: psycopg.Connection) -> None:
    """As SET timezone reads it, which takes no abbreviation."""
    names = [name for (name,) in db.execute("SELECT name FROM pg_timezone_names ORDER BY 1").fetchall()]
    names = [name for name in names if name not in MACHINE and not name.startswith(("posix/", "right/"))]
    assert len(names) > 300
    for name in names:
        with db.transaction():
            db.execute("SELECT set_config('timezone', %s, true)", [name])
            rows = db.execute("SELECT m::timestamp FROM unnest(%s::timestamptz[]) AS m", [MOMENTS]).fetchall()
        first = 2 if name in LINKS_SINCE_2024B else 0
        assert clock(db, name)[first:] == [moment for (moment,) in rows][first:], name


def test_every_link_is_known_wherever_zones_come_from(db: psycopg.Connection) -> None:
    for name, zone in db.execute("SELECT name, zone FROM api_internal.time_zone_links").fetchall():
        assert clock(db, name) == clock(db, zone), name


@pytest.mark.parametrize(
    ("name", "summer", "winter"),
    [
        ("UTC", 0, 0),
        ("GMT", 0, 0),
        ("Zulu", 0, 0),
        ("CET", 2, 1),
        ("cet", 2, 1),
        ("EET", 3, 2),
        ("WET", 1, 0),
        ("MET", 2, 1),
        ("EST", -5, -5),
        ("MST", -7, -7),
        ("EST5EDT", -4, -5),
        ("Europe/Kiev", 3, 2),
        ("Europe/Kyiv", 3, 2),
        ("US/Eastern", -4, -5),
        ("Asia/Calcutta", 5.5, 5.5),
        ("Asia/Katmandu", 5.75, 5.75),
        ("europe/berlin", 2, 1),
        ("Etc/GMT+5", -5, -5),
        ("Etc/GMT-14", 14, 14),
    ],
)
def test_a_name_means_the_zone(db: psycopg.Connection, name: str, summer: float, winter: float) -> None:
    shown = dict(zip(MOMENTS, clock(db, name), strict=True))
    for moment, hours in (
        (datetime(2026, 7, 14, 22, 30, tzinfo=UTC), summer),
        (datetime(2026, 1, 14, 22, 30, tzinfo=UTC), winter),
    ):
        assert shown[moment] == moment.replace(tzinfo=None) + timedelta(hours=hours)


@pytest.mark.parametrize(
    "name",
    ["CEST", "PST", "EDT", "UTC+3", "Foo/Bar5", "Europe/Berlin5", "<Foo>5", "Etc/GMT+13", "Mars/Phobos", "Europe", "",
     " UTC", "localtime", "Factory", "posixrules", "posix/Europe/Berlin", "right/Europe/Berlin", "../etc/passwd"],
)  # fmt: skip
def test_what_names_no_zone_is_refused(db: psycopg.Connection, name: str) -> None:
    """Abbreviations, rules of POSIX, which PostgreSQL takes, and whatever else."""
    with pytest.raises(errors.InvalidParameterValue, match=r"^tz is ") as caught:
        db.execute("SELECT api.time_zone(%s)", [name])
    assert caught.value.diag.message_hint == "It must be a time zone of the IANA database, such as Europe/Berlin."
    for question in ("api.series('default', 'nobody', now(), now(), '1h', %s)", "api.overview('default', %s)"):
        with pytest.raises(errors.InvalidParameterValue, match=r"^tz is "):
            db.execute(f"SELECT * FROM {question}".encode(), [name])


def test_days_of_cet_have_its_summer_time(db: psycopg.Connection) -> None:
    db.execute("INSERT INTO api.readings (user_id, ts, steps) VALUES ('ada', '2026-07-14T22:30Z', 100)")
    for _ in range(2):
        query = "SELECT t, steps FROM api.series('default', 'ada', '2026-07-01Z', '2026-08-01Z', '1d', 'CET')"
        assert db.execute(query).fetchall() == [(datetime(2026, 7, 14, 22, tzinfo=UTC), 100)]
        db.execute("CALL api.refresh()")
