-- Daily totals with names in place of keys.
CREATE VIEW api.daily_totals WITH (security_barrier) AS
  SELECT t.tenant_id, u.user_id, d.device_id, m.name AS metric, m.unit, i.ts, i.ends_at, i.value
    FROM core.daily_total AS i
    JOIN core.app_user AS u USING (user_key)
    JOIN core.device AS d USING (device_key)
    JOIN core.metric AS m USING (metric_key)
    JOIN api_internal.visible_tenant AS t ON t.tenant_key = u.tenant_key;

COMMENT ON VIEW api.daily_totals IS
  'Totals of days, as they were stored, of every device: answers use one only where nothing finer is known of its day.';
COMMENT ON COLUMN api.daily_totals.tenant_id IS 'The tenant of the user; two tenants may have users of the same name.';
COMMENT ON COLUMN api.daily_totals.user_id IS 'The user who was measured, within the tenant.';
COMMENT ON COLUMN api.daily_totals.device_id IS 'The device that counted.';
COMMENT ON COLUMN api.daily_totals.metric IS 'What was counted, a name of api.metrics whose kind is sum.';
COMMENT ON COLUMN api.daily_totals.unit IS 'The unit of the value, a UCUM code.';
COMMENT ON COLUMN api.daily_totals.ts IS 'When the day begins.';
COMMENT ON COLUMN api.daily_totals.ends_at IS 'When it ends.';
COMMENT ON COLUMN api.daily_totals.value IS 'What was counted in the day, in the unit.';
