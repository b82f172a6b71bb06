-- Devices by tenant.
CREATE VIEW api.devices AS
  SELECT t.tenant_id, d.device_id, d.name, d.priority, d.registered_at
    FROM core.device AS d
    JOIN core.tenant AS t USING (tenant_key);

COMMENT ON VIEW api.devices IS
  'Devices by tenant. The smaller priority wins where several report the same metric in the same minute; ties go to the device registered first.';
