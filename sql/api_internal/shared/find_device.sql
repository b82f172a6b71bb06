-- A device's key, or null.
CREATE FUNCTION api_internal.find_device(tenant_id text, device_id text) RETURNS int
-- In PL/pgSQL, which caches the plan across calls.
LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN (SELECT d.device_key
            FROM core.device AS d
            JOIN api_internal.visible_tenant AS t USING (tenant_key)
           WHERE t.tenant_id = find_device.tenant_id AND d.device_id = find_device.device_id);
END
$$;

COMMENT ON FUNCTION api_internal.find_device IS 'The key of a device; null if the device is unknown.';
