-- Refuses writes of tenants that another database is about to hold, or holds.
CREATE FUNCTION api_internal.require_open(tenant_ids text[]) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  closed text;
BEGIN
  -- The lock comes first: a move that this waits for closes the tenant.
  PERFORM api_internal.hold_horizon();
  SELECT t.tenant_id INTO closed
    FROM core.tenant AS t
   WHERE t.closed_at IS NOT NULL AND t.tenant_id = ANY (tenant_ids)
   LIMIT 1;
  -- The move itself writes where nobody else may yet.
  IF FOUND AND current_setting('hyperpulse.moving', true) IS DISTINCT FROM closed THEN
    RAISE EXCEPTION 'this database takes no writes of the tenant %', closed
      USING ERRCODE = 'HP001',
            DETAIL = 'The tenant is in another database, or is being moved there.',
            HINT = 'Write there; `make tenants ARGS=list` says where it is.';
  END IF;
END
$$;

COMMENT ON FUNCTION api_internal.require_open IS
  'Fails with HP001 where one of the tenants is closed (core.tenant.closed_at). Every write by name passes here; keys cached by a process lose their validity when a tenant is closed. Holds the horizon until the transaction ends, so that a move closes a tenant only when all its writers have committed.';
