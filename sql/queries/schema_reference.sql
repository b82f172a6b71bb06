-- All public objects and the tables behind them: kind, name, definition, comment.
SELECT *
  FROM (
    SELECT 1 AS part, 'view' AS kind,
           format('%I.%I', n.nspname, c.relname) AS name,
           (SELECT string_agg(concat_ws('  -- ', format('%s %s', a.attname, format_type(a.atttypid, a.atttypmod)),
                                       col_description(c.oid, a.attnum)), E'\n' ORDER BY a.attnum)
              FROM pg_attribute AS a
             WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS definition,
           obj_description(c.oid, 'pg_class') AS comment
      FROM pg_class AS c
      JOIN pg_namespace AS n ON n.oid = c.relnamespace
     WHERE n.nspname = 'api' AND c.relkind = 'v'
    UNION ALL
    SELECT 2, 'function', format('%I.%I', n.nspname, p.proname),
           format(E'(%s)\nreturns %s', pg_get_function_arguments(p.oid), pg_get_function_result(p.oid)),
           obj_description(p.oid, 'pg_proc')
      FROM pg_proc AS p
      JOIN pg_namespace AS n ON n.oid = p.pronamespace
     WHERE n.nspname = 'api'
    UNION ALL
    SELECT 4, 'table', format('%I.%I', n.nspname, c.relname),
           coalesce((SELECT string_agg(format('%s %s%s', a.attname, format_type(a.atttypid, a.atttypmod),
                                     CASE WHEN a.attnotnull THEN ' not null' ELSE '' END), E'\n' ORDER BY a.attnum)
              FROM pg_attribute AS a
             WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped), 'no columns')
           || coalesce((SELECT E'\n' || string_agg(format('%s: %s', k.conname, pg_get_constraintdef(k.oid)), E'\n'
                                                   ORDER BY k.contype DESC, k.conname COLLATE "C")
                          FROM pg_constraint AS k
                         WHERE k.conrelid = c.oid AND k.contype IN ('p', 'u', 'f', 'c')), '')
           || coalesce((SELECT E'\n' || string_agg(pg_get_indexdef(i.indexrelid), E'\n' ORDER BY i.indexrelid)
                          FROM pg_index AS i
                         WHERE i.indrelid = c.oid AND NOT i.indisunique), '')
           || coalesce((SELECT E'\nhypertable, chunks of ' || d.time_interval
                          FROM timescaledb_information.dimensions AS d
                         WHERE d.hypertable_schema = n.nspname AND d.hypertable_name = c.relname), ''),
           obj_description(c.oid, 'pg_class')
      FROM pg_class AS c
      JOIN pg_namespace AS n ON n.oid = c.relnamespace
     WHERE n.nspname = 'core' AND c.relkind = 'r'
  ) AS described
 ORDER BY part, name COLLATE "C"
