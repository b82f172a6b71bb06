-- The latest sample of each metric.
CREATE FUNCTION api.latest_samples(tenant_id text, user_id text) RETURNS TABLE (
  metric    text,
  unit      text,
  value     double precision,
  ts        timestamptz,
  device_id text
)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
  wanted_user CONSTANT int := api_internal.find_user(tenant_id, user_id);
BEGIN
  RETURN QUERY
    SELECT l.name, l.unit, l.value, l.ts, l.device_id
      FROM (SELECT DISTINCT ON (m.metric_key) m.metric_key, m.name, m.unit, s.value, s.ts, d.device_id
              FROM api_internal.last_samples AS s
              JOIN core.metric AS m USING (metric_key)
              JOIN core.device AS d USING (device_key)
             WHERE s.user_key = wanted_user
             ORDER BY m.metric_key, s.ts DESC, d.priority, d.device_key) AS l
     ORDER BY l.metric_key;
END
$$;

COMMENT ON FUNCTION api.latest_samples IS
  'The latest value up to now of each metric of a user but heart_rate, steps and calories, which api.latest has: when and by which device it was measured; of several devices at the same moment the best one. One row for each metric ever measured. Values are in the unit of the metric.';
