-- Intervals with names in place of keys.
CREATE VIEW api.intervals WITH (security_barrier) AS
  SELECT t.tenant_id, u.user_id, d.device_id, m.name AS metric, m.unit, i.ts, i.ends_at, i.value
    FROM core.interval AS i
    JOIN core.app_user AS u USING (user_key)
    JOIN core.device AS d USING (device_key)
    JOIN core.metric AS m USING (metric_key)
    JOIN api_internal.visible_tenant AS t ON t.tenant_key = u.tenant_key;

COMMENT ON VIEW api.intervals IS
  'What devices counted over an interval, steps and calories included: as it was stored, of every device, before it is shared over minutes and the best device of each is chosen.';
COMMENT ON COLUMN api.intervals.tenant_id IS 'The tenant of the user; two tenants may have users of the same name.';
COMMENT ON COLUMN api.intervals.user_id IS 'The user who was measured, within the tenant.';
COMMENT ON COLUMN api.intervals.device_id IS 'The device that counted.';
COMMENT ON COLUMN api.intervals.metric IS 'What was counted, a name of api.metrics whose kind is sum.';
COMMENT ON COLUMN api.intervals.unit IS 'The unit of the value, a UCUM code.';
COMMENT ON COLUMN api.intervals.ts IS 'When the interval begins.';
COMMENT ON COLUMN api.intervals.ends_at IS 'When it ends: what happens then is no longer in it.';
COMMENT ON COLUMN api.intervals.value IS 'What was counted from ts up to ends_at, in the unit.';
