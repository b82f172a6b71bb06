-- Marks what a move has copied, or is about to replace.
CREATE FUNCTION api_internal.mark_copied(user_keys int[], range_start timestamptz, range_end timestamptz) RETURNS void
LANGUAGE plpgsql
SET plan_cache_mode = force_custom_plan
AS $$
DECLARE
  horizon CONSTANT timestamptz := (SELECT h.announced FROM core.horizon AS h);
BEGIN
  INSERT INTO core.sample_series (user_key, metric_key, device_key)
    SELECT DISTINCT s.user_key, s.metric_key, s.device_key
      FROM core.sample AS s WHERE s.user_key = ANY (user_keys) AND s.ts >= range_start AND s.ts < range_end
    UNION
    SELECT i.user_key, i.metric_key, i.device_key
      FROM core.interval AS i WHERE i.user_key = ANY (user_keys) AND i.ts >= range_start AND i.ts < range_end AND i.metric_key > 3
     ORDER BY 1, 2, 3
  ON CONFLICT DO NOTHING;
  INSERT INTO core.interval_series (user_key, kind, metric_key, device_key)
    SELECT i.user_key, 0, i.metric_key, i.device_key
      FROM core.interval AS i WHERE i.user_key = ANY (user_keys) AND i.ts >= range_start AND i.ts < range_end
    UNION
    SELECT w.user_key, 1, 0, w.device_key
      FROM core.worn_window AS w WHERE w.user_key = ANY (user_keys) AND w.ts >= range_start AND w.ts < range_end
    UNION
    SELECT t.user_key, 2, t.metric_key, t.device_key
      FROM core.daily_total AS t WHERE t.user_key = ANY (user_keys) AND t.ts >= range_start AND t.ts < range_end
     ORDER BY 1, 2, 3, 4
  ON CONFLICT DO NOTHING;

  WITH days AS MATERIALIZED (
    SELECT r.user_key, public.time_bucket(INTERVAL '24 hours', r.ts) AS day, false AS is_of_samples
      FROM core.reading AS r WHERE r.user_key = ANY (user_keys) AND r.ts >= range_start AND r.ts < range_end
     GROUP BY 1, 2
    UNION
    SELECT s.user_key, public.time_bucket(INTERVAL '24 hours', s.ts), true
      FROM core.sample AS s WHERE s.user_key = ANY (user_keys) AND s.ts >= range_start AND s.ts < range_end
     GROUP BY 1, 2
    UNION
    SELECT e.user_key, d.day, true
      FROM (SELECT i.user_key, i.ts, i.ends_at
              FROM core.interval AS i WHERE i.user_key = ANY (user_keys) AND i.ts >= range_start AND i.ts < range_end
            UNION ALL
            SELECT w.user_key, w.ts, w.ends_at
              FROM core.worn_window AS w WHERE w.user_key = ANY (user_keys) AND w.ts >= range_start AND w.ts < range_end) AS e
     CROSS JOIN LATERAL generate_series(public.time_bucket(INTERVAL '24 hours', e.ts), e.ends_at - INTERVAL '1 microsecond',
                                        INTERVAL '24 hours') AS d (day)
  ), marked AS (
    INSERT INTO core.stale_day (user_key, day, quarters, sample_quarters)
      SELECT DISTINCT d.user_key, d.day, ~ B'0'::bit(96), ~ B'0'::bit(96) FROM days AS d WHERE d.day < horizon
  )
  INSERT INTO core.sample_day (day, user_key)
    SELECT DISTINCT d.day, d.user_key
      FROM days AS d
     WHERE d.is_of_samples AND d.day + INTERVAL '24 hours' > horizon
       AND NOT EXISTS (SELECT FROM core.sample_day AS n WHERE n.day = d.day AND n.user_key = d.user_key);
END
$$;

COMMENT ON FUNCTION api_internal.mark_copied IS
  'For a move that holds the horizon by api_internal.hold_horizon: marks every day on which users have readings, samples, intervals or worn windows that begin in the range, and registers their series, as the writers of each would. To be called before rows are replaced and after.';
