-- The registry of metrics.
CREATE VIEW api.metrics WITH (security_barrier) AS
  SELECT t.tenant_id, m.name, m.title, m.topic, m.kind, m.unit, m.lowest, m.highest, m.most_per_second, m.is_whole,
         coalesce((SELECT jsonb_agg(jsonb_build_object('unit', u.unit, 'ucum', u.ucum, 'zero', u.zero, 'factor', u.factor,
                                                       'divisor', u.divisor) ORDER BY u.unit)
                     FROM core.metric_unit AS u
                    WHERE u.metric_key = m.metric_key), '[]') AS other_units,
         m.loinc, m.healthkit, m.health_connect, m.open_mhealth
    FROM core.metric AS m
    LEFT JOIN api_internal.visible_tenant AS t USING (tenant_key)
   WHERE m.tenant_key IS NULL OR t.tenant_key IS NOT NULL;

COMMENT ON VIEW api.metrics IS
  'The registry of metrics: the built-in ones, and those that tenants declared by api.set_metric. Readings carry heart_rate, steps and calories; values of the other metrics are in api.samples.';
COMMENT ON COLUMN api.metrics.tenant_id IS 'The tenant that declared the metric; null for a built-in one.';
COMMENT ON COLUMN api.metrics.name IS 'The name, unique among the built-in metrics and those of a tenant.';
COMMENT ON COLUMN api.metrics.title IS 'A name for display.';
COMMENT ON COLUMN api.metrics.topic IS 'The heading to show it under: heart, respiration, blood, temperature, body, activity, nutrition, wellbeing or other.';
COMMENT ON COLUMN api.metrics.kind IS
  'gauge: a level, of which mean, lowest and highest are asked; sum: an amount, which adds up; latest: only the last value counts. Never changes.';
COMMENT ON COLUMN api.metrics.unit IS 'The unit of values, a UCUM code. Never changes.';
COMMENT ON COLUMN api.metrics.lowest IS 'The lowest valid value.';
COMMENT ON COLUMN api.metrics.highest IS 'The highest valid value.';
COMMENT ON COLUMN api.metrics.most_per_second IS 'Of a sum: the most that may be counted in a second; null where none is known, and for other kinds.';
COMMENT ON COLUMN api.metrics.is_whole IS 'Of a sum: whether it counts whole things, as steps, so that what an interval holds is shared in whole units.';
COMMENT ON COLUMN api.metrics.other_units IS
  'Further units, each with its UCUM code: (value - zero) * factor / divisor is the value in the unit of the metric.';
COMMENT ON COLUMN api.metrics.loinc IS 'The LOINC code; null for none.';
COMMENT ON COLUMN api.metrics.healthkit IS 'The type of HealthKit, without its prefix; null for none, and where several feed the metric.';
COMMENT ON COLUMN api.metrics.health_connect IS 'The record of Health Connect, without its suffix; null for none, and where several feed the metric.';
COMMENT ON COLUMN api.metrics.open_mhealth IS 'The schema of Open mHealth, without its version; null for none.';
