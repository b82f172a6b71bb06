-- The series of a user's metrics but those of readings.
CREATE FUNCTION api_internal.series_of(wanted_user int, metric_keys int[]) RETURNS TABLE (
  metric_key      int,
  device_key      int,
  is_of_intervals boolean
)
-- Without a fixed search_path, so that it is inlined. Two branches for each table, so that each looks up no more than it needs.
LANGUAGE sql STABLE AS $$
  SELECT s.metric_key, s.device_key, false FROM core.sample_series AS s WHERE metric_keys IS NULL AND s.user_key = wanted_user
  UNION ALL
  SELECT s.metric_key, s.device_key, false FROM core.sample_series AS s WHERE s.user_key = wanted_user AND s.metric_key = ANY (metric_keys)
  UNION ALL
  SELECT i.metric_key, i.device_key, true
    FROM core.interval_series AS i
   WHERE metric_keys IS NULL AND i.user_key = wanted_user AND i.kind = 0 AND i.metric_key > 3
  UNION ALL
  SELECT i.metric_key, i.device_key, true
    FROM core.interval_series AS i
   WHERE i.user_key = wanted_user AND i.kind = 0 AND i.metric_key > 3 AND i.metric_key = ANY (metric_keys)
$$;

COMMENT ON FUNCTION api_internal.series_of IS
  'Which devices have samples, or intervals, of which metrics of a user: of those given by key, or of all where these are null; without heart_rate, steps and calories.';
