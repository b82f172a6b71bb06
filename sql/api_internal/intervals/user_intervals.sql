-- A page of a user's intervals, worn windows and daily totals, of every metric and device.
CREATE FUNCTION api_internal.user_intervals(
  wanted_user int, after_ts timestamptz, after_device_id text, after_kind text, after_metric text, most int
) RETURNS TABLE (ts timestamptz, ends_at timestamptz, device_id text, kind text, metric text, unit text, value double precision)
-- STABLE, so that all windows are read in one snapshot.
LANGUAGE plpgsql STABLE
AS $$
DECLARE
  -- Finite, so that the loop over windows ends.
  start  timestamptz := coalesce(after_ts, '4713-01-02 00:00:00Z BC');
  finish CONSTANT timestamptz := '100000-01-01 00:00:00Z';
  stop   timestamptz;
  width  interval := '24 hours';
  rows   int;
BEGIN
  IF NOT EXISTS (SELECT FROM core.interval_series AS s WHERE s.user_key = wanted_user) THEN
    RETURN;
  END IF;
  -- Planning a query over all chunks takes longer than reading a page from the first chunk.
  WHILE start < finish AND most > 0 LOOP
    stop := least(start + width, finish);
    RETURN QUERY EXECUTE format(
      'SELECT i.ts, i.ends_at, d.device_id, k.kind, coalesce(m.name, ''''), m.unit, i.value
         FROM (%s) AS i
         JOIN core.device AS d USING (device_key)
         JOIN (VALUES (0, ''interval''), (1, ''worn_window''), (2, ''daily_total'')) AS k (number, kind) ON k.number = i.kind
         LEFT JOIN core.metric AS m USING (metric_key)
        WHERE $1 IS NULL OR (i.ts, d.device_id, k.kind COLLATE "C", coalesce(m.name, '''')) > ($1, $2, $3 COLLATE "C", $4)
        ORDER BY i.ts, d.device_id, k.kind COLLATE "C", coalesce(m.name, '''')
        LIMIT $5', api_internal.select_intervals(wanted_user, NULL, start, stop))
      USING after_ts, after_device_id, after_kind, after_metric, most;
    GET DIAGNOSTICS rows = ROW_COUNT;
    most := most - rows;
    start := stop;
    width := 2 * width;
  END LOOP;
END
$$;

COMMENT ON FUNCTION api_internal.user_intervals IS
  'A page of a user''s intervals, worn windows (whose metric is empty) and daily totals, given by key, as they were stored, ordered by ts, device_id, kind and metric: the first page, or the one after these. Reads a day, then twice as much, until there are enough or time ends.';
