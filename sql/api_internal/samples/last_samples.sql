-- The latest sample of each metric and device.
CREATE VIEW api_internal.last_samples AS
  SELECT s.user_key, s.metric_key, s.device_key, coalesce(v.ts, k.ts) AS ts, coalesce(v.value, k.value) AS value
    FROM core.sample_series AS s
   -- Newest chunks first, up to the first sample.
    LEFT JOIN LATERAL (
     SELECT x.ts, x.value
       FROM core.sample AS x
      WHERE x.user_key = s.user_key AND x.metric_key = s.metric_key AND x.device_key = s.device_key AND x.ts <= now()
      ORDER BY x.ts DESC
      LIMIT 1) AS v ON true
    -- What retention has dropped is older.
    LEFT JOIN core.kept_value AS k
           ON k.user_key = s.user_key AND NOT k.is_interval AND k.metric_key = s.metric_key AND k.device_key = s.device_key
   WHERE v.ts IS NOT NULL OR k.ts IS NOT NULL;

COMMENT ON VIEW api_internal.last_samples IS
  'The latest sample up to now of each metric and device of a user, by key, also where retention has dropped it: one lookup for each row of core.sample_series, so restrict user_key.';
