-- Which tenants are in which database, but for those that never left the home database, and the timeline of the server; one row.
-- Fails on a replica.
SELECT left(pg_walfile_name(pg_current_wal_lsn()), 8) AS timeline,
       (SELECT coalesce(jsonb_object_agg(s.tenant_id, s.shard), '{}') FROM core.tenant_shard AS s) AS shards
