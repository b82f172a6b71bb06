-- Each metric's latest value up to now, for many users at once.
CREATE FUNCTION api_internal.latest_values(user_keys int[]) RETURNS TABLE (
  user_key  int,
  metric    text,
  value     double precision,
  ts        timestamptz,
  device_id text
)
-- PL/pgSQL, which keeps the plan.
LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
BEGIN
  IF EXISTS (SELECT FROM unnest(user_keys) AS u (user_key) JOIN core.interval_series AS i USING (user_key)) THEN
    RETURN QUERY SELECT * FROM api_internal.latest_with_intervals(latest_values.user_keys);
    RETURN;
  END IF;
  RETURN QUERY
  -- First the time above the horizon, where most users have readings; then, of what is missing, the rest of a day, for all
  -- users at once; then older days, which differ from user to user.
  WITH bounds AS MATERIALIZED (
    SELECT now() - INTERVAL '24 hours' AS day_ago, greatest(now() - INTERVAL '24 hours', least(now(), h.materialized)) AS horizon
      FROM core.horizon AS h
  ), recent AS MATERIALIZED (
    SELECT r.* FROM bounds AS b CROSS JOIN LATERAL api_internal.recent_values(user_keys, b.horizon, now()) AS r
  ), missing AS MATERIALIZED (
    SELECT u.user_key, m.metric
      FROM unnest(user_keys) AS u (user_key)
     CROSS JOIN unnest(ARRAY['heart_rate', 'steps', 'calories']) AS m (metric)
     WHERE NOT EXISTS (SELECT FROM recent AS r WHERE r.user_key = u.user_key AND r.metric = m.metric)
  ), rolled AS MATERIALIZED (
    SELECT q.*
      FROM bounds AS b
     CROSS JOIN (SELECT array_agg(m.user_key) AS user_keys, array_agg(m.metric) AS metrics FROM missing AS m) AS a
     CROSS JOIN LATERAL api_internal.quarter_values(a.user_keys, a.metrics, b.day_ago, b.horizon) AS q
     WHERE a.user_keys IS NOT NULL
  )
  SELECT * FROM recent
  UNION ALL
  SELECT * FROM rolled
  UNION ALL
  SELECT o.user_key, v.metric, v.value, v.ts, v.device_id
    FROM (SELECT m.user_key, array_agg(m.metric) AS metrics
            FROM missing AS m
           WHERE NOT EXISTS (SELECT FROM rolled AS q WHERE q.user_key = m.user_key AND q.metric = m.metric)
           GROUP BY m.user_key) AS o
   CROSS JOIN LATERAL api_internal.older_values(o.user_key, now() - INTERVAL '24 hours', o.metrics, '{}') AS v;
END
$$;

COMMENT ON FUNCTION api_internal.latest_values IS
  'The latest value of each metric of users given by key, when and by which device it was measured; of several devices at the same moment the best one. An interval''s value is of the moment at which it begins. One row per user and metric ever measured. Readings after now do not count: the last of them is a row of the metric ahead, without a value.';
