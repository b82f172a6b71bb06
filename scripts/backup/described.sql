-- What a restore has to know of this database.
SELECT current_setting('server_version_num')::int / 10000 AS postgresql,
       (SELECT e.extversion FROM pg_extension AS e WHERE e.extname = 'timescaledb') AS timescaledb,
       coalesce(current_setting('hyperpulse.embedded', true), '') = 'on' AS is_embedded,
       (SELECT r.rolsuper FROM pg_roles AS r WHERE r.rolname = current_user) AS is_superuser,
       pg_encoding_to_char(d.encoding) AS encoding,
       pg_get_userbyid(d.datdba) AS owner,
       to_regclass('core.reading') IS NOT NULL AND to_regclass('core.bi_login') IS NOT NULL AS is_migrated,
       ARRAY(SELECT c
               FROM pg_db_role_setting AS s, unnest(s.setconfig) AS c
              WHERE s.setdatabase = d.oid AND s.setrole = 0 AND c !~ '^timescaledb\.restoring=') AS settings,
       -- What pg_dump will name one by one, up to a few tables of TimescaleDB's catalog.
       (SELECT count(*)
          FROM pg_class AS c
         WHERE c.relkind = 'r' AND c.relnamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)) AS tables
  FROM pg_database AS d
 WHERE d.datname = current_database()
