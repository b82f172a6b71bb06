-- Each metric's latest value up to now, for users of whom some have intervals.
CREATE FUNCTION api_internal.latest_with_intervals(user_keys int[]) RETURNS TABLE (
  user_key  int,
  metric    text,
  value     double precision,
  ts        timestamptz,
  device_id text
)
LANGUAGE sql STABLE AS $$
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
  ), intervals AS MATERIALIZED (
    -- An interval's value is of the moment at which it begins.
    SELECT DISTINCT ON (i.user_key, i.metric) i.user_key, i.metric, i.value, i.ts, d.device_id, k.rank
      FROM (SELECT l.user_key, CASE l.metric_key WHEN 2 THEN 'steps' ELSE 'calories' END AS metric, l.device_key, l.value, l.ts
              FROM unnest(user_keys) AS u (user_key)
              JOIN api_internal.last_intervals AS l USING (user_key)
             WHERE l.metric_key < 4
            UNION ALL
            SELECT u.user_key, 'ahead', a.device_key, NULL, a.ts
              FROM unnest(user_keys) AS u (user_key)
              JOIN core.interval_series AS s ON s.user_key = u.user_key AND s.kind = 0 AND s.metric_key < 4
             CROSS JOIN LATERAL (SELECT i.device_key, i.ts
                                   FROM core.interval AS i
                                  WHERE i.user_key = s.user_key AND i.metric_key = s.metric_key AND i.device_key = s.device_key AND i.ts > now()
                                  ORDER BY i.ts DESC
                                  LIMIT 1) AS a) AS i
      JOIN core.device AS d USING (device_key)
     CROSS JOIN LATERAL (
       SELECT CASE i.metric WHEN 'steps' THEN d.steps_rank WHEN 'calories' THEN d.calories_rank
                            -- Of what is ahead, which has no metric.
                            ELSE core.device_rank(d.priority, NULL, d.device_key, NULL) END) AS k (rank)
     ORDER BY i.user_key, i.metric, i.ts DESC, k.rank
  ), readings AS (
    SELECT * FROM recent
    UNION ALL
    SELECT * FROM rolled
    UNION ALL
    SELECT o.user_key, v.metric, v.value, v.ts, v.device_id
      FROM (SELECT m.user_key, array_agg(m.metric) AS metrics
              FROM missing AS m
             WHERE NOT EXISTS (SELECT FROM rolled AS q WHERE q.user_key = m.user_key AND q.metric = m.metric)
             GROUP BY m.user_key) AS o
     CROSS JOIN LATERAL api_internal.older_values(
       o.user_key, now() - INTERVAL '24 hours', o.metrics,
       ARRAY(SELECT (i.metric, i.ts)::api_internal.metric_moment FROM intervals AS i WHERE i.user_key = o.user_key)) AS v
  )
  SELECT user_key, metric, CASE WHEN x.is_interval THEN i.value ELSE r.value END, CASE WHEN x.is_interval THEN i.ts ELSE r.ts END,
         CASE WHEN x.is_interval THEN i.device_id ELSE r.device_id END
    FROM readings AS r
    FULL JOIN intervals AS i USING (user_key, metric)
   CROSS JOIN LATERAL (
     SELECT r.ts IS NULL OR i.ts > r.ts
            -- At the same moment the better device, and of one device the reading.
            OR i.ts = r.ts AND (SELECT i.rank < CASE i.metric WHEN 'steps' THEN d.steps_rank WHEN 'calories' THEN d.calories_rank
                                                  ELSE core.device_rank(d.priority, NULL, d.device_key, NULL) END
                                  FROM core.app_user AS u
                                  JOIN core.device AS d USING (tenant_key)
                                 WHERE u.user_key = r.user_key AND d.device_id = r.device_id)) AS x (is_interval)
$$;

COMMENT ON FUNCTION api_internal.latest_with_intervals IS
  'What api_internal.latest_values returns, for users of whom some have intervals: an interval''s value is of the moment at which it begins.';
