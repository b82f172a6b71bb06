-- The latest interval of each metric and device.
CREATE VIEW api_internal.last_intervals AS
  SELECT s.user_key, s.metric_key, s.device_key, coalesce(v.ts, k.ts) AS ts, coalesce(v.value, k.value) AS value,
         greatest(e.seen_at, k.seen_at) AS seen_at
    FROM core.interval_series AS s
   -- Newest chunks first, up to the first interval.
    LEFT JOIN LATERAL (
     SELECT i.ts, i.value
       FROM core.interval AS i
      WHERE i.user_key = s.user_key AND i.metric_key = s.metric_key AND i.device_key = s.device_key AND i.ts <= now()
      ORDER BY i.ts DESC
      LIMIT 1) AS v ON true
   -- A longer one may have begun before it, and lasted longer: the start of the last minute up to now that one of them covers.
   CROSS JOIN LATERAL (
     SELECT max(greatest(i.ts, least(public.time_bucket(INTERVAL '1 minute', i.ends_at - INTERVAL '1 microsecond'),
                                     public.time_bucket(INTERVAL '1 minute', now())))) AS seen_at
       FROM core.interval AS i
      WHERE i.user_key = s.user_key AND i.metric_key = s.metric_key AND i.device_key = s.device_key
        AND i.ts > v.ts - INTERVAL '24 hours' AND i.ts <= v.ts) AS e
    -- What retention has dropped began before.
    LEFT JOIN core.kept_value AS k
           ON k.user_key = s.user_key AND k.is_interval AND k.metric_key = s.metric_key AND k.device_key = s.device_key
   WHERE s.kind = 0 AND (v.ts IS NOT NULL OR k.ts IS NOT NULL);

COMMENT ON VIEW api_internal.last_intervals IS
  'The latest interval up to now of each metric and device of a user, by key, and the start of the last minute up to now that an interval of them covers, also where retention has dropped them: one lookup for each row of core.interval_series, so restrict user_key.';
