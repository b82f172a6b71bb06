-- Registers unknown tenants, and keeps other transactions from registering names until this one ends.
CREATE FUNCTION api_internal.enrol_tenants(tenant_ids text[]) RETURNS void
LANGUAGE plpgsql
-- A generic plan assumes short arrays and joins them by nested loops.
SET plan_cache_mode = force_custom_plan
AS $$
BEGIN
  -- One at a time: two writers that register the same names in different orders would deadlock.
  LOCK TABLE core.enrolment_lock IN EXCLUSIVE MODE;
  INSERT INTO core.tenant (tenant_id)
    SELECT i.tenant_id
      FROM unnest(tenant_ids) WITH ORDINALITY AS i (tenant_id, item)
     WHERE NOT EXISTS (SELECT FROM core.tenant AS t WHERE t.tenant_id = i.tenant_id)
     GROUP BY i.tenant_id
     ORDER BY min(i.item);
END
$$;

COMMENT ON FUNCTION api_internal.enrol_tenants IS
  'Registers the unknown ones among the given tenants; transactions that register names wait here for each other.';
