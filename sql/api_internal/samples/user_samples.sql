-- A page of a user's samples, of every metric and device.
CREATE FUNCTION api_internal.user_samples(
  wanted_user int, after_ts timestamptz, after_device_id text, after_metric text, most int
) RETURNS TABLE (ts timestamptz, device_id text, metric text, unit text, value double precision)
-- STABLE, so that all windows are read in one snapshot.
LANGUAGE plpgsql STABLE
-- The query's text contains timestamps, and only the ISO style is unambiguous.
SET datestyle = 'ISO'
AS $$
DECLARE
  -- Finite, so that the loop over windows ends.
  start  timestamptz := coalesce(after_ts, '4713-01-02 00:00:00Z BC');
  finish CONSTANT timestamptz := '100000-01-01 00:00:00Z';
  stop   timestamptz;
  width  interval := '24 hours';
  rows   int;
BEGIN
  -- Planning a query over all chunks takes longer than reading a page from the first chunk.
  WHILE wanted_user IS NOT NULL AND start < finish AND most > 0 LOOP
    stop := least(start + width, finish);
    RETURN QUERY EXECUTE format(
      'SELECT s.ts, d.device_id, m.name, m.unit, s.value
         FROM core.sample AS s
         JOIN core.device AS d USING (device_key)
         JOIN core.metric AS m USING (metric_key)
        WHERE s.user_key = %L AND s.ts >= %L AND s.ts < %L
          AND ($1 IS NULL OR (s.ts, d.device_id, m.name) > ($1, $2, $3))
        ORDER BY s.ts, d.device_id, m.name
        LIMIT $4', wanted_user, start, stop)
      USING after_ts, after_device_id, after_metric, most;
    GET DIAGNOSTICS rows = ROW_COUNT;
    most := most - rows;
    start := stop;
    width := 2 * width;
  END LOOP;
END
$$;

COMMENT ON FUNCTION api_internal.user_samples IS
  'A page of a user''s samples, given by key, as they were stored, ordered by ts, device_id and metric: the first page, or the one after a given ts, device_id and metric. Reads a day, then twice as much, until there are enough samples.';
