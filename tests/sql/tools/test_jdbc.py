"""The JDBC driver of DBeaver, Tableau and others."""

from __future__ import annotations

from tests.sql.tools.world import World, views


def test_the_jdbc_driver_lists_views_and_columns(world: World) -> None:
    """DatabaseMetaData, which DBeaver, Tableau and others read, joins the catalogs in its own way."""
    tables = world.ask("""
        SELECT n.nspname, c.relname, CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'r' THEN 'TABLE' END, d.description
          FROM pg_catalog.pg_namespace AS n
          JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid
          LEFT JOIN pg_catalog.pg_description AS d
                 ON c.oid = d.objoid AND d.objsubid = 0 AND d.classoid = 'pg_class'::regclass
         WHERE n.nspname LIKE 'api' AND c.relname LIKE '%' AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
         ORDER BY 3, 1, 2
    """)
    assert {(name, kind) for _, name, kind, _ in tables} == {(name, "VIEW") for name in views(world)}
    columns = world.ask(r"""
        SELECT * FROM (
          SELECT n.nspname, c.relname, a.attname, a.atttypid, a.attnotnull, a.atttypmod,
                 row_number() OVER (PARTITION BY a.attrelid ORDER BY a.attnum) AS place,
                 nullif(a.attidentity, '') AS identity, pg_catalog.pg_get_expr(e.adbin, e.adrelid) AS preset,
                 d.description, t.typbasetype, t.typtype
            FROM pg_catalog.pg_namespace AS n
            JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid
            JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid
            JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid
            LEFT JOIN pg_catalog.pg_attrdef AS e ON e.adrelid = a.attrelid AND e.adnum = a.attnum
            LEFT JOIN pg_catalog.pg_description AS d ON d.objoid = c.oid AND d.objsubid = a.attnum
            LEFT JOIN pg_catalog.pg_class AS dc ON dc.oid = d.classoid AND dc.relname = 'pg_class'
            LEFT JOIN pg_catalog.pg_namespace AS dn ON dn.oid = dc.relnamespace AND dn.nspname = 'pg_catalog'
           WHERE c.relkind IN ('r', 'p', 'v', 'f', 'm') AND a.attnum > 0 AND NOT a.attisdropped
             AND n.nspname LIKE 'api' AND c.relname LIKE 'vitals\_1h') AS c
         WHERE true
         ORDER BY nspname, relname, place
    """)
    assert [row[2] for row in columns][:3] == ["tenant_id", "user_id", "bucket"]
    assert all(row[9] for row in columns)
