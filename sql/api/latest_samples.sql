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
              FROM (SELECT s.metric_key, s.device_key, s.ts, s.value, 0 AS place
                      FROM api_internal.last_samples AS s
                     WHERE s.user_key = wanted_user
                    UNION ALL
                    -- An interval's value is of the moment at which it begins.
                    SELECT i.metric_key, i.device_key, i.ts, i.value, 1
                      FROM api_internal.last_intervals AS i
                     WHERE i.user_key = wanted_user AND i.metric_key > 3) AS s
              JOIN core.metric AS m USING (metric_key)
              JOIN core.device AS d USING (device_key)
             ORDER BY m.metric_key, s.ts DESC, core.device_rank(d.priority, d.metric_priorities, d.device_key, m.metric_key), s.place) AS l
     ORDER BY l.metric_key;
END
$$;

COMMENT ON FUNCTION api.latest_samples IS
  'The latest value up to now of each metric of a user but heart_rate, steps and calories, which api.latest has: when and by which device it was measured; of several devices at the same moment the best one. One row for each metric ever measured. Values are in the unit of the metric.';
