-- The latest values between two moments, and the last reading after them, for many users at once.
CREATE FUNCTION api_internal.recent_values(user_keys int[], since timestamptz, until timestamptz) RETURNS TABLE (
  user_key  int,
  metric    text,
  value     double precision,
  ts        timestamptz,
  device_id text
)
LANGUAGE plpgsql STABLE
SET datestyle = 'ISO'
AS $$
BEGIN
  -- A skip scan over the devices of each user, and one index lookup for each device and metric: in the index the readings
  -- of a device are adjacent. A literal bound lets the planner exclude chunks. The last reading after the range is one
  -- more metric, of which only the timestamp counts. The devices are those of whole days: the skip scan walks along readings
  -- outside of its range.
  RETURN QUERY EXECUTE format(
    'WITH RECURSIVE worn AS (
       SELECT u.user_key, (SELECT r.device_key FROM core.reading AS r
                            WHERE r.user_key = u.user_key AND r.ts >= %3$L
                            ORDER BY r.device_key LIMIT 1) AS device_key
         FROM unnest($1) AS u (user_key)
       UNION ALL
       SELECT w.user_key, (SELECT r.device_key FROM core.reading AS r
                            WHERE r.user_key = w.user_key AND r.device_key > w.device_key AND r.ts >= %3$L
                            ORDER BY r.device_key LIMIT 1)
         FROM worn AS w
        WHERE w.device_key IS NOT NULL
     )
     SELECT DISTINCT ON (w.user_key, m.metric) w.user_key, m.metric, v.value, v.ts, d.device_id
       FROM worn AS w
       JOIN core.device AS d USING (device_key)
      CROSS JOIN (VALUES (''heart_rate'', %1$L::timestamptz, %2$L::timestamptz), (''steps'', %1$L, %2$L), (''calories'', %1$L, %2$L),
                         (''ahead'', %2$L::timestamptz + INTERVAL ''1 microsecond'', ''infinity'')) AS m (metric, low, high)
      CROSS JOIN LATERAL (
        SELECT x.value, r.ts
          FROM core.reading AS r
         CROSS JOIN LATERAL (
           SELECT CASE m.metric WHEN ''heart_rate'' THEN r.heart_rate WHEN ''steps'' THEN r.steps
                              WHEN ''calories'' THEN r.calories END
         ) AS x (value)
         WHERE r.user_key = w.user_key AND r.device_key = w.device_key AND r.ts >= %1$L AND r.ts BETWEEN m.low AND m.high
           AND (x.value IS NOT NULL OR m.metric = ''ahead'')
         ORDER BY r.ts DESC
         LIMIT 1
      ) AS v
      ORDER BY w.user_key, m.metric, v.ts DESC,
               CASE m.metric WHEN ''heart_rate'' THEN d.heart_rate_rank WHEN ''steps'' THEN d.steps_rank
                             WHEN ''calories'' THEN d.calories_rank END,
               -- Of what is ahead, which has no metric.
               d.priority, d.device_key',
    since, until, public.time_bucket(INTERVAL '24 hours', since))
    USING user_keys;
END
$$;

COMMENT ON FUNCTION api_internal.recent_values IS
  'The latest value between two moments, both included, of each metric of users given by key; of several devices at the same moment the best one. One row per user and metric measured in that range, and one row of the metric ahead, without a value, for a user''s last reading after the range.';
