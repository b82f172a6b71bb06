-- Devices by tenant.
CREATE VIEW api.devices WITH (security_barrier) AS
  SELECT t.tenant_id, d.device_id, d.name, d.priority, d.registered_at,
         coalesce((SELECT jsonb_object_agg(m.name, p.priority)
                     FROM jsonb_each(d.metric_priorities) AS p (metric_key, priority)
                     JOIN core.metric AS m ON m.metric_key = p.metric_key::int), '{}') AS metrics
    FROM core.device AS d
    JOIN api_internal.visible_tenant AS t USING (tenant_key);

COMMENT ON VIEW api.devices IS
  'Devices by tenant. Where several devices report the same metric in the same minute, the smallest priority wins, that of the metric or else that of the device; ties go to the device registered first.';
COMMENT ON COLUMN api.devices.tenant_id IS 'The tenant of the device; two tenants may have devices of the same name.';
COMMENT ON COLUMN api.devices.device_id IS 'The name under which the device reports, within the tenant.';
COMMENT ON COLUMN api.devices.name IS 'A name for display; null if none is set.';
COMMENT ON COLUMN api.devices.priority IS 'Where several devices report a metric in the same minute, the smallest priority counts.';
COMMENT ON COLUMN api.devices.registered_at IS 'When the device first reported or was given a priority.';
COMMENT ON COLUMN api.devices.metrics IS 'Priorities of single metrics by name, which hold in place of the device''s; {} without any. api.set_device sets them.';
