-- The migration state of the database, and whether it takes no writes; one row.
SELECT ARRAY(SELECT migration_id FROM migration._yoyo_migration) AS migrations,
       ARRAY(SELECT digest FROM migration.api_build) AS api_digests,
       (SELECT extversion FROM pg_catalog.pg_extension WHERE extname = 'timescaledb') AS timescaledb,
       pg_is_in_recovery() AS is_standby
