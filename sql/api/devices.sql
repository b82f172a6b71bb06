-- Devices by tenant.
CREATE VIEW api.devices AS
  SELECT t.tenant_id, d.device_id, d.name, d.priority, d.registered_at
    FROM core.device AS d
    JOIN core.tenant AS t USING (tenant_key);

COMMENT ON VIEW api.devices IS
  'Devices by tenant. The smaller priority wins where several report the same metric in the same minute; ties go to the device registered first.';
COMMENT ON COLUMN api.devices.tenant_id IS 'Whose device; two tenants may have a device of the same name.';
COMMENT ON COLUMN api.devices.device_id IS 'The name under which the device reports, within the tenant.';
COMMENT ON COLUMN api.devices.name IS 'What people call it; null where it has no other name.';
COMMENT ON COLUMN api.devices.priority IS 'Of several devices that report a metric in a minute, the one with the smallest priority counts.';
COMMENT ON COLUMN api.devices.registered_at IS 'When it reported first, or got its priority.';
