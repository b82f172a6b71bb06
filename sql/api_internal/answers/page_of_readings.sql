-- The implementation of api_internal.user_readings: reads ahead in windows that double.
CREATE FUNCTION api_internal.page_of_readings(
  wanted_user int, wanted_device int, any_device boolean, range_start timestamptz, range_end timestamptz,
  after_ts timestamptz, after_device_id text, most int
) RETURNS TABLE (ts timestamptz, device_id text, heart_rate double precision, steps int, calories double precision)
-- STABLE, so that all windows are read in one snapshot.
LANGUAGE plpgsql STABLE
-- The query's text contains timestamps, and only the ISO style is unambiguous.
SET datestyle = 'ISO'
AS $$
DECLARE
  -- Finite, so that the loop over windows ends.
  start  timestamptz := greatest(range_start, after_ts, '4713-01-02 00:00:00Z BC');
  finish CONSTANT timestamptz := least(range_end, '100000-01-01 00:00:00Z');
  stop   timestamptz;
  width  interval := '24 hours';
  rows   int;
BEGIN
  IF wanted_user IS NULL OR NOT any_device AND wanted_device IS NULL THEN
    RETURN;
  END IF;
  -- Planning a query over a year of chunks takes a hundred times as long as reading a page from the first chunk.
  WHILE start < finish AND most > 0 LOOP
    stop := least(start + width, finish);
    -- As in recent_values, a skip scan over the devices. Each gives as many readings as are wanted, in the order of the
    -- index, so that a day of many readings is not sorted.
    RETURN QUERY EXECUTE format(
      'WITH RECURSIVE worn AS (
         (SELECT r.device_key FROM core.reading AS r
           WHERE r.user_key = %1$L AND r.ts >= %2$L AND r.ts < %3$L%4$s
           ORDER BY r.device_key LIMIT 1)
         UNION ALL
         SELECT (SELECT r.device_key FROM core.reading AS r
                  WHERE r.user_key = %1$L AND r.device_key > w.device_key AND r.ts >= %2$L AND r.ts < %3$L%4$s
                  ORDER BY r.device_key LIMIT 1)
           FROM worn AS w
          WHERE w.device_key IS NOT NULL
       )
       SELECT p.ts, d.device_id, p.heart_rate, p.steps, p.calories
         FROM worn AS w
         JOIN core.device AS d USING (device_key)
        CROSS JOIN LATERAL (
          SELECT r.ts, r.heart_rate, r.steps, r.calories
            FROM core.reading AS r
           WHERE r.user_key = %1$L AND r.device_key = w.device_key AND r.ts >= %2$L AND r.ts < %3$L
             AND ($1 IS NULL OR (r.ts, d.device_id) > ($1, $2))
           ORDER BY r.ts
           LIMIT $3
        ) AS p
        ORDER BY p.ts, d.device_id
        LIMIT $3', wanted_user, start, stop,
      CASE WHEN any_device THEN '' ELSE format(' AND r.device_key = %L', wanted_device) END)
      USING after_ts, after_device_id, most;
    GET DIAGNOSTICS rows = ROW_COUNT;
    most := most - rows;
    start := stop;
    width := 2 * width;
  END LOOP;
END
$$;

COMMENT ON FUNCTION api_internal.page_of_readings IS
  'The implementation of api_internal.user_readings, which callers use instead: reads a day, then twice as much, until there are enough readings or the range ends.';
