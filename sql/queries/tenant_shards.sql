-- Which tenants are in which database, but for those that never left the home database.
SELECT tenant_id, shard FROM core.tenant_shard
