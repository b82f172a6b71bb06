-- Series of intervals stay among those of samples, where they mean no more than that a device may have measured the metric.
LOCK TABLE core.refresh_lock IN EXCLUSIVE MODE;
LOCK TABLE core.horizon_lock IN EXCLUSIVE MODE;
-- What rollups of samples hold of intervals goes.
INSERT INTO core.stale_day (user_key, day, quarters, sample_quarters)
  SELECT DISTINCT i.user_key, d.day, B'0'::bit(96), ~ B'0'::bit(96)
    FROM (SELECT user_key, ts, ends_at FROM core.interval WHERE metric_key > 3
          UNION ALL
          SELECT user_key, ts, ends_at FROM core.worn_window) AS i
   CROSS JOIN LATERAL generate_series(time_bucket(INTERVAL '24 hours', i.ts), i.ends_at - INTERVAL '1 microsecond', INTERVAL '24 hours') AS d (day)
   WHERE d.day < (SELECT h.announced FROM core.horizon AS h);
