"""Every tool has a section in docs/bi.md."""

from __future__ import annotations

from tests.sql.tools.document import blocks


def test_every_tool_has_a_section_with_sql() -> None:
    counted = {tool: len(blocks(tool, "sql")) for tool in ("Grafana", "Metabase", "Superset", "DuckDB", "dbt")}
    assert counted == {"Grafana": 6, "Metabase": 4, "Superset": 4, "DuckDB": 3, "dbt": 3}
    assert [len(blocks("pandas and polars", "python")), len(blocks("psql", "psql"))] == [2, 1]
