-- Keys of devices by name; registers unknown devices in order of first appearance, which breaks ties of priority.
CREATE FUNCTION api_internal.enrol_devices(tenant_ids text[], device_ids text[]) RETURNS int[]
LANGUAGE plpgsql
-- A generic plan assumes short arrays and joins them by nested loops.
SET plan_cache_mode = force_custom_plan
AS $$
DECLARE
  keys int[];
BEGIN
  PERFORM api_internal.require_open(tenant_ids);
  SELECT array_agg(d.device_key ORDER BY i.item) INTO keys
    FROM unnest(tenant_ids, device_ids) WITH ORDINALITY AS i (tenant_id, device_id, item)
    LEFT JOIN core.tenant AS t USING (tenant_id)
    LEFT JOIN core.device AS d USING (tenant_key, device_id);
  IF array_position(keys, NULL) IS NULL THEN
    RETURN keys;
  END IF;

  PERFORM api_internal.enrol_tenants(tenant_ids);
  INSERT INTO core.device (tenant_key, device_id, priority)
    SELECT t.tenant_key, i.device_id, coalesce(min(k.priority), 999)
      FROM unnest(tenant_ids, device_ids) WITH ORDINALITY AS i (tenant_id, device_id, item)
      JOIN core.tenant AS t USING (tenant_id)
      LEFT JOIN core.known_device AS k USING (device_id)
     WHERE NOT EXISTS (SELECT FROM core.device AS d
                        WHERE d.tenant_key = t.tenant_key AND d.device_id = i.device_id)
     GROUP BY t.tenant_key, i.device_id
     ORDER BY min(i.item);

  RETURN (SELECT array_agg(d.device_key ORDER BY i.item)
            FROM unnest(tenant_ids, device_ids) WITH ORDINALITY AS i (tenant_id, device_id, item)
            JOIN core.tenant AS t USING (tenant_id)
            JOIN core.device AS d USING (tenant_key, device_id));
END
$$;

COMMENT ON FUNCTION api_internal.enrol_devices IS
  'Keys of devices, in the order of the given names; registers unknown devices in order of first appearance, with the priority from core.known_device, or 999.';
