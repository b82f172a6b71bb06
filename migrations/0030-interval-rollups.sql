-- Intervals of other metrics come into the rollups of samples: those that are there are marked, as api_internal.merge_intervals marks
-- what is written from here on.

LOCK TABLE core.refresh_lock IN EXCLUSIVE MODE;
LOCK TABLE core.horizon_lock IN EXCLUSIVE MODE;

INSERT INTO core.sample_series (user_key, metric_key, device_key)
  SELECT s.user_key, s.metric_key, s.device_key
    FROM core.interval_series AS s
   WHERE s.kind = 0 AND s.metric_key > 3
ON CONFLICT DO NOTHING;

INSERT INTO core.stale_day (user_key, day, quarters, sample_quarters)
  SELECT DISTINCT i.user_key, d.day, B'0'::bit(96), ~ B'0'::bit(96)
    FROM (SELECT user_key, ts, ends_at FROM core.interval WHERE metric_key > 3
          UNION ALL
          SELECT user_key, ts, ends_at FROM core.worn_window) AS i
   CROSS JOIN LATERAL generate_series(time_bucket(INTERVAL '24 hours', i.ts), i.ends_at - INTERVAL '1 microsecond', INTERVAL '24 hours') AS d (day)
   WHERE d.day < (SELECT h.announced FROM core.horizon AS h);
INSERT INTO core.sample_day (day, user_key)
  SELECT DISTINCT d.day, i.user_key
    FROM (SELECT user_key, ts, ends_at FROM core.interval WHERE metric_key > 3
          UNION ALL
          SELECT user_key, ts, ends_at FROM core.worn_window) AS i
   CROSS JOIN LATERAL generate_series(time_bucket(INTERVAL '24 hours', i.ts), i.ends_at - INTERVAL '1 microsecond', INTERVAL '24 hours') AS d (day)
   WHERE d.day + INTERVAL '24 hours' > (SELECT h.announced FROM core.horizon AS h);
