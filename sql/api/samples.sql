-- Samples with names in place of keys.
CREATE VIEW api.samples WITH (security_barrier) AS
  SELECT t.tenant_id, u.user_id, d.device_id, m.name AS metric, m.unit, s.ts, s.value
    FROM core.sample AS s
    JOIN core.app_user AS u USING (user_key)
    JOIN core.device AS d USING (device_key)
    JOIN core.metric AS m USING (metric_key)
    JOIN api_internal.visible_tenant AS t ON t.tenant_key = u.tenant_key;

COMMENT ON VIEW api.samples IS
  'Samples of every metric but heart_rate, steps and calories, which are in api.readings: as they were stored, of every device, before the best device of each minute is chosen.';
COMMENT ON COLUMN api.samples.tenant_id IS 'The tenant of the user; two tenants may have users of the same name.';
COMMENT ON COLUMN api.samples.user_id IS 'The user who was measured, within the tenant.';
COMMENT ON COLUMN api.samples.device_id IS 'The device that measured.';
COMMENT ON COLUMN api.samples.metric IS 'What was measured, a name of api.metrics.';
COMMENT ON COLUMN api.samples.unit IS 'The unit of the value, a UCUM code.';
COMMENT ON COLUMN api.samples.ts IS 'When the sample was measured.';
COMMENT ON COLUMN api.samples.value IS 'What was measured, in the unit.';
