-- Claimed stale days as ranges to refresh, newest first, none wider than the refresh window.
CREATE FUNCTION api.stale_ranges() RETURNS TABLE (range_start timestamptz, range_end timestamptz)
LANGUAGE sql STABLE AS $$
  WITH days AS (
    SELECT DISTINCT day FROM core.stale_day WHERE claimed = version
  ), islands AS (
    SELECT day, day - row_number() OVER (ORDER BY day) * INTERVAL '24 hours' AS island FROM days
  ), pieces AS (
    SELECT day, island,
           (row_number() OVER (PARTITION BY island ORDER BY day) - 1)
             / greatest(1, extract(epoch FROM api.setting('refresh_window')::interval)::bigint / 86400) AS piece
      FROM islands
  )
  SELECT min(day), max(day) + INTERVAL '24 hours' FROM pieces GROUP BY island, piece ORDER BY 1 DESC
$$;

COMMENT ON FUNCTION api.stale_ranges IS
  'Neighbouring claimed stale days as half-open ranges of at most the refresh window, newest first.';
