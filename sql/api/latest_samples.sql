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
AS $$
#variable_conflict use_column
BEGIN
  RETURN QUERY
    SELECT l.metric, l.unit, l.value, l.ts, l.device_id
      FROM api_internal.latest_of_samples(ARRAY[api_internal.find_user(latest_samples.tenant_id, latest_samples.user_id)], ARRAY[NULL::text]) AS l
     ORDER BY l.metric_key;
END
$$;

COMMENT ON FUNCTION api.latest_samples IS
  'The latest value up to now of each metric of a user but heart_rate, steps and calories, which api.latest has: when and by which device it was measured; of several devices at the same moment the best one. One row for each metric ever measured. Values are in the unit of the metric.';
