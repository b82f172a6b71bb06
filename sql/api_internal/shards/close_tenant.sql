-- Ends the writes of a tenant in this database.
CREATE FUNCTION api_internal.close_tenant(tenant_id text) RETURNS int
LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  closed int;
BEGIN
  -- Writers have committed by then; those that come later find the tenant closed.
  LOCK TABLE core.horizon_lock IN EXCLUSIVE MODE;
  INSERT INTO core.tenant AS t (tenant_id, closed_at) VALUES (tenant_id, now())
  ON CONFLICT ON CONSTRAINT tenant_id_is_unique DO UPDATE SET closed_at = coalesce(t.closed_at, excluded.closed_at)
  RETURNING t.tenant_key INTO closed;
  -- Processes forget the keys of names, and learn them only of tenants that are open.
  UPDATE core.names_version SET version = version + 1;
  RETURN closed;
END
$$;

COMMENT ON FUNCTION api_internal.close_tenant IS
  'Closes a tenant for writes, registering it if it is new, and returns its key: once the transaction commits, every write of the tenant that was answered is visible, and none is accepted any more (api_internal.require_open).';
