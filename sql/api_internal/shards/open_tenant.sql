-- Lets a tenant write in this database.
CREATE FUNCTION api_internal.open_tenant(tenant_id text, least_version bigint DEFAULT 0) RETURNS void
LANGUAGE plpgsql AS $$
#variable_conflict use_variable
BEGIN
  LOCK TABLE core.horizon_lock IN EXCLUSIVE MODE;
  UPDATE core.tenant AS t SET closed_at = NULL WHERE t.tenant_id = tenant_id;
  -- Of overlapping intervals the newer one counts: what is written from here on is newer than what was copied.
  PERFORM setval('core.interval_version', least_version)
    FROM core.interval_version AS v
   WHERE v.last_value < least_version;
  PERFORM api_internal.announce_many(tenant_id);
END
$$;

COMMENT ON FUNCTION api_internal.open_tenant IS
  'Opens a tenant for writes; versions of intervals go on above the given one, which those that were copied have at most. Live listeners get the full state.';
