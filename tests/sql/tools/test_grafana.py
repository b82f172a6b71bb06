"""Grafana: queries with its macros, the dashboard of health data, and what its pickers read."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime

import pytest

from tests.sql.tools.document import blocks, table
from tests.sql.tools.world import BERLIN, ELSEWHERE, HOUR, Rows, World, by_hour, floor, hours_of_both, views
from tests.support.paths import ROOT


def grafana(written: str, first: datetime, last: datetime, timescaledb: bool = True) -> str:
    """Expand macros as Grafana's PostgreSQL data source does, and a variable with one value."""
    start, end = (moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") for moment in (first, last))
    seconds = {"m": 60, "h": 3600, "d": 86400}

    def expand(macro: re.Match[str]) -> str:
        name, arguments = macro[1], [part.strip() for part in macro[2].split(",")]
        column = arguments[0]
        if name == "__timeFilter":
            return f"{column} BETWEEN '{start}' AND '{end}'"
        if name in ("__timeFrom", "__timeTo"):
            return f"'{start if name == '__timeFrom' else end}'"
        width = arguments[1].strip("'")
        length = int(width[:-1]) * seconds[width[-1]]
        group = f"floor(extract(epoch from {column})/{length})*{length}"
        if timescaledb:
            group = f"time_bucket('{length:.3f}s',{column})"
        # A comma right behind the macro makes it an alias, for panels of Grafana 5.2 and before.
        followed = written[macro.end() : macro.end() + 1] == ","
        assert name in ("__timeGroup", "__timeGroupAlias"), name
        return f'{group} AS "time"' if name == "__timeGroupAlias" or followed else group

    return re.sub(r"\$(__[a-zA-Z]+)\(([^)]*)\)", expand, written).replace("$user", "ada")


def test_grafana_sends_what_the_document_says() -> None:
    first, last = datetime(2025, 1, 15, tzinfo=UTC), datetime(2025, 1, 22, 12, 30, tzinfo=UTC)
    for written, sent in table("Grafana", "written").items():
        macro = written.split("`")[1]
        assert grafana(macro, first, last, "off" not in written) == sent


@pytest.mark.parametrize("zone", ["UTC", ELSEWHERE])
def test_grafana(world: World, zone: str) -> None:
    last = world.now.replace(microsecond=0)
    first = last - 168 * HOUR
    users, series, groups, days, silent, population = blocks("Grafana", "sql")

    def ask(block: str, timescaledb: bool = True) -> Rows:
        return world.ask(grafana(block, first, last, timescaledb), zone=zone)

    assert ask(users) == [("ada",), ("bob",)]
    mine = [reading.ts for reading in world.readings if reading.user == "ada" and reading.ts >= first]
    assert [row[0] for row in ask(series)] == sorted({floor(ts, HOUR / 4) for ts in mine})
    expected = world.heart_rates(6 * HOUR, first, last)
    assert dict(ask(groups)) == expected
    assert {datetime.fromtimestamp(float(t), UTC): rate for t, rate in ask(groups, False)} == expected
    begin = first.astimezone(BERLIN).date()
    assert [(start.astimezone(BERLIN).date(), steps) for start, steps, _ in ask(days)] == [
        (day, steps) for day, steps in world.steps("ada").items() if day >= begin
    ]
    assert [row[0] for row in ask(silent)] == ["bob"]
    assert by_hour(world, ask(population)) == hours_of_both(world, first)


def test_the_dashboard_of_health_data(world: World) -> None:
    """Its variables and panels, which Grafana is given as a file."""
    board = json.loads((ROOT / "deploy/grafana/dashboards/health.json").read_text(encoding="utf-8"))
    last = world.now.replace(microsecond=0)

    def ask(text: str) -> Rows:
        return world.ask(grafana(text.replace("$tenant", "default"), last - 168 * HOUR, last))

    assert [ask(variable["query"]) for variable in board["templating"]["list"]] == [
        [("default",)],
        [("ada",), ("bob",)],
    ]
    rows = {panel["title"]: ask(panel["targets"][0]["rawSql"]) for panel in board["panels"]}
    assert len(rows) == 6
    assert [title for title, found in rows.items() if not found] == []
    assert [row[0] for row in rows["Silent for a day"]] == ["bob"]


def test_grafana_finds_views_and_columns(world: World) -> None:
    """Its pickers read information_schema; what is not in the search path is named with its schema."""
    assert int(world.ask("SELECT current_setting('server_version_num')::int / 100")[0][0]) >= 1500
    assert world.ask("SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'")
    path = """
        SELECT CASE trim(s) WHEN '"$user"' THEN user::text ELSE trim(s) END
          FROM unnest(string_to_array(current_setting('search_path'), ',')) AS s
    """
    listed = world.ask(f"""
        SELECT CASE WHEN quote_ident(table_schema) IN ({path}) THEN quote_ident(table_name)
                    ELSE quote_ident(table_schema) || '.' || quote_ident(table_name) END
          FROM information_schema.tables
         WHERE table_schema NOT IN ('information_schema', 'pg_catalog', 'timescaledb_information',
                                    'timescaledb_experimental', '_timescaledb_cache', '_timescaledb_catalog',
                                    '_timescaledb_config', '_timescaledb_internal')
         ORDER BY 1
    """)
    assert {name for (name,) in listed} >= {f"api.{view}" for view in views(world)}
    assert not [name for (name,) in listed if re.match(r"(core|rollup|api_internal)\.", name)]
    columns = world.ask("""
        SELECT quote_ident(column_name), data_type
          FROM information_schema.columns
         WHERE quote_ident(table_schema) = (parse_ident('api.vitals_1h'))[1]
           AND quote_ident(table_name) = (parse_ident('api.vitals_1h'))[2]
    """)
    assert ("bucket", "timestamp with time zone") in columns
    assert ("heart_rate_avg", "double precision") in columns
