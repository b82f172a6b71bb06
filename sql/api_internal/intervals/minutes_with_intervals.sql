-- The minutes of a user who has intervals.
CREATE FUNCTION api_internal.minutes_with_intervals(user_key int, ranges tstzmultirange, device_key int)
RETURNS SETOF api_internal.bucket_row
LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_generic_plan
SET work_mem = '64MB'
AS $$
#variable_conflict use_column
DECLARE
  -- Finite, and where readings are dropped, rollups alone tell what was counted.
  countable CONSTANT tstzmultirange := minutes_with_intervals.ranges * (
    SELECT tstzmultirange(tstzrange(greatest(h.raw_from, '4713-01-02 00:00:00Z BC'), '100000-01-01 00:00:00Z')) FROM core.horizon AS h);
BEGIN
  RETURN QUERY
    SELECT bucket, least(m.first_ts, c.first_ts), greatest(m.last_ts, c.last_ts), m.heart_rate_sum, coalesce(m.heart_rate_count, 0),
           m.heart_rate_min, m.heart_rate_max, coalesce(c.calories, m.calories), coalesce(c.steps / 1000000, m.steps), m.heart_rate_device
      FROM api_internal.minutes(minutes_with_intervals.user_key, minutes_with_intervals.ranges, minutes_with_intervals.device_key, false) AS m
      FULL JOIN (SELECT c.bucket, min(c.first_ts) AS first_ts, max(c.last_ts) AS last_ts,
                        max(c.amount) FILTER (WHERE c.metric_key = 2) AS steps, max(c.amount) FILTER (WHERE c.metric_key = 3) AS calories
                   FROM api_internal.counted_minutes(minutes_with_intervals.user_key, '{2,3}', countable, minutes_with_intervals.device_key) AS c
                  WHERE countable <> '{}'
                  GROUP BY c.bucket) AS c USING (bucket);
END
$$;

COMMENT ON FUNCTION api_internal.minutes_with_intervals IS
  'The part of api_internal.minutes for users with intervals: an hour that intervals or worn windows touch is resolved by api_internal.counted_minutes.';
