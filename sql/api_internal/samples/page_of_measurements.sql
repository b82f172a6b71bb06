-- The implementation of api_internal.user_measurements: reads ahead in windows that double.
CREATE FUNCTION api_internal.page_of_measurements(
  wanted_user int, wanted_device int, any_device boolean, metric_keys int[], range_start timestamptz, range_end timestamptz,
  after_ts timestamptz, after_device_id text, most int
) RETURNS TABLE (ts timestamptz, device_id text, heart_rate double precision, steps int, calories double precision, metrics json)
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
  width  interval := '6 hours';
  rows   int;
BEGIN
  IF wanted_user IS NULL OR NOT any_device AND wanted_device IS NULL THEN
    RETURN;
  END IF;
  -- Planning a query over a year of chunks takes a hundred times as long as reading a page from the first chunk.
  WHILE start < finish AND most > 0 LOOP
    stop := least(start + width, finish);
    -- Of both as much as a page may need, whole moments: so many readings, or samples of every metric at so many moments.
    RETURN QUERY EXECUTE format(
      'SELECT ts, d.device_id, r.heart_rate, r.steps, r.calories,
              (''{'' || concat_ws('','', CASE WHEN 1 = ANY ($4) THEN ''"heart_rate":'' || to_json(r.heart_rate)::text END,
                                  CASE WHEN 2 = ANY ($4) THEN ''"steps":'' || to_json(r.steps)::text END,
                                  CASE WHEN 3 = ANY ($4) THEN ''"calories":'' || to_json(r.calories)::text END,
                                  s.metrics) || ''}'')::json
         FROM (SELECT r.ts, r.device_key, r.heart_rate, r.steps, r.calories
                 FROM core.reading AS r
                 JOIN core.device AS d USING (device_key)
                WHERE r.user_key = %1$L AND r.ts >= %2$L AND r.ts < %3$L%4$s AND ($1 IS NULL OR (r.ts, d.device_id) > ($1, $2))
                ORDER BY r.ts
                FETCH FIRST $3 ROWS WITH TIES) AS r
         FULL JOIN (SELECT r.ts, r.device_key,
                           string_agg(to_json(m.name)::text || '':'' || to_json(r.value)::text, '','' ORDER BY m.metric_key) AS metrics
                      FROM (SELECT r.ts, r.device_key, r.metric_key, r.value
                              FROM core.sample AS r
                              JOIN core.device AS d USING (device_key)
                             WHERE r.user_key = %1$L AND r.metric_key = ANY ($4) AND r.ts >= %2$L AND r.ts < %3$L%4$s
                               AND ($1 IS NULL OR (r.ts, d.device_id) > ($1, $2))
                             ORDER BY r.ts
                             FETCH FIRST ($3 * cardinality($4)) ROWS WITH TIES) AS r
                      JOIN core.metric AS m USING (metric_key)
                     GROUP BY 1, 2) AS s USING (ts, device_key)
         JOIN core.device AS d USING (device_key)
        WHERE $1 IS NULL OR (ts, d.device_id) > ($1, $2)
        ORDER BY ts, d.device_id
        LIMIT $3', wanted_user, start, stop,
      CASE WHEN any_device THEN '' ELSE format(' AND r.device_key = %L', wanted_device) END)
      USING after_ts, after_device_id, most, metric_keys;
    GET DIAGNOSTICS rows = ROW_COUNT;
    most := most - rows;
    start := stop;
    width := 2 * width;
  END LOOP;
END
$$;

COMMENT ON FUNCTION api_internal.page_of_measurements IS
  'The implementation of api_internal.user_measurements, which callers use instead: reads six hours, then twice as much, until there are enough moments or the range ends.';
