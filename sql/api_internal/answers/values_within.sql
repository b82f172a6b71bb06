-- The latest values in ranges, of metrics of users, from the readings.
CREATE FUNCTION api_internal.values_within(user_keys int[], metrics text[], lows timestamptz[], highs timestamptz[]) RETURNS TABLE (
  user_key  int,
  metric    text,
  value     double precision,
  ts        timestamptz,
  device_id text
)
LANGUAGE plpgsql STABLE
-- The query's text contains timestamps, and only the ISO style is unambiguous.
SET datestyle = 'ISO'
AS $$
BEGIN
  -- As in recent_values, a skip scan over the devices, and a lookup for each of them and each metric, so that a day of many
  -- readings is not sorted. Literal bounds let the planner exclude chunks.
  RETURN QUERY EXECUTE format(
    'WITH RECURSIVE part AS MATERIALIZED (
       SELECT * FROM unnest($1, $2, $3, $4) AS p (user_key, metric, low, high)
     ),
     worn AS (
       SELECT u.user_key, (SELECT r.device_key FROM core.reading AS r
                            WHERE r.user_key = u.user_key AND r.ts >= %3$L AND r.ts < %4$L
                            ORDER BY r.device_key LIMIT 1) AS device_key
         FROM (SELECT DISTINCT p.user_key FROM part AS p) AS u
       UNION ALL
       SELECT w.user_key, (SELECT r.device_key FROM core.reading AS r
                            WHERE r.user_key = w.user_key AND r.device_key > w.device_key AND r.ts >= %3$L AND r.ts < %4$L
                            ORDER BY r.device_key LIMIT 1)
         FROM worn AS w
        WHERE w.device_key IS NOT NULL
     )
     SELECT DISTINCT ON (w.user_key, p.metric) w.user_key, p.metric, v.value, v.ts, d.device_id
       FROM worn AS w
       JOIN core.device AS d USING (device_key)
       JOIN part AS p USING (user_key)
      CROSS JOIN LATERAL (
        SELECT x.value, r.ts
          FROM core.reading AS r
         CROSS JOIN LATERAL (
           SELECT CASE p.metric WHEN ''heart_rate'' THEN r.heart_rate WHEN ''steps'' THEN r.steps
                              WHEN ''calories'' THEN r.calories END
         ) AS x (value)
         WHERE r.user_key = w.user_key AND r.device_key = w.device_key AND r.ts >= %1$L AND r.ts < %2$L
           AND r.ts >= p.low AND r.ts < p.high AND x.value IS NOT NULL
         ORDER BY r.ts DESC
         LIMIT 1
      ) AS v
      ORDER BY w.user_key, p.metric, v.ts DESC,
               CASE p.metric WHEN ''heart_rate'' THEN d.heart_rate_rank WHEN ''steps'' THEN d.steps_rank ELSE d.calories_rank END',
    (SELECT min(low) FROM unnest(lows) AS low), (SELECT max(high) FROM unnest(highs) AS high),
    (SELECT public.time_bucket(INTERVAL '24 hours', min(low)) FROM unnest(lows) AS low),
    (SELECT public.time_bucket(INTERVAL '24 hours', max(high) + INTERVAL '23:59:59.999999') FROM unnest(highs) AS high))
  USING user_keys, metrics, lows, highs;
END
$$;

COMMENT ON FUNCTION api_internal.values_within IS
  'The latest value of each pair of a user''s key and a metric (heart_rate, steps, calories) within half-open ranges, given as four arrays, where a pair may have several ranges; of several devices at the same moment the best one. One row per pair with a value there.';
