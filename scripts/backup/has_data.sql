-- What is in this database that a restore would replace: tables of others, and those of Hyperpulse that hold something.
SELECT c.oid::regclass::text AS name
  FROM pg_class AS c
  JOIN pg_namespace AS n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S')
   AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'core', 'rollup', 'api', 'api_internal', 'migration')
   AND n.nspname !~ '^(_timescaledb|timescaledb_|pg_)'
   AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
 ORDER BY 1
 LIMIT 3
