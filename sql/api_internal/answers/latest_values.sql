-- Each metric's latest value up to now, for many users at once.
CREATE FUNCTION api_internal.latest_values(user_keys int[]) RETURNS TABLE (
  user_key  int,
  metric    text,
  value     double precision,
  ts        timestamptz,
  device_id text
)
LANGUAGE sql STABLE AS $$
  WITH recent AS MATERIALIZED (
    SELECT * FROM api_internal.recent_values(user_keys, now() - INTERVAL '24 hours', now())
  )
  SELECT * FROM recent
  UNION ALL
  SELECT u.user_key, o.metric, o.value, o.ts, o.device_id
    FROM unnest(user_keys) AS u (user_key)
    LEFT JOIN (SELECT r.user_key, array_agg(r.metric) AS metrics FROM recent AS r WHERE r.metric <> 'ahead' GROUP BY 1) AS k USING (user_key)
   CROSS JOIN LATERAL api_internal.older_values(
     u.user_key, now() - INTERVAL '24 hours',
     ARRAY(SELECT m FROM unnest(ARRAY['heart_rate', 'steps', 'calories']) AS m
            WHERE k.metrics IS NULL OR m <> ALL (k.metrics))) AS o
   WHERE k.metrics IS NULL OR cardinality(k.metrics) < 3
$$;

COMMENT ON FUNCTION api_internal.latest_values IS
  'The latest value of each metric of users given by key, when and by which device it was measured; of several devices at the same moment the best one. One row per user and metric ever measured. Readings after now do not count: the last of them is a row of the metric ahead, without a value.';
