-- Each metric's latest value.
CREATE FUNCTION api.latest(tenant_id text, user_id text) RETURNS TABLE (
  metric    text,
  value     double precision,
  ts        timestamptz,
  device_id text
)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT v.metric, v.value, v.ts, v.device_id
    FROM api_internal.latest_values(ARRAY(SELECT k FROM api_internal.find_user(tenant_id, user_id) AS k WHERE k IS NOT NULL)) AS v
$$;

COMMENT ON FUNCTION api.latest IS
  'The latest value of each metric of a user, when and by which device it was measured; of several devices at the same moment the best one. One row per metric ever measured. Readings after now, from a clock that is ahead, hide no values: the last of them is a row of the metric ahead, without a value.';
