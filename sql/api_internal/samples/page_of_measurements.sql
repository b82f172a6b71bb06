-- The implementation of api_internal.user_measurements: reads ahead in windows that double.
CREATE FUNCTION api_internal.page_of_measurements(
  wanted_user int, wanted_device int, any_device boolean, metric_keys int[], range_start timestamptz, range_end timestamptz,
  with_intervals boolean, after_ts timestamptz, after_device_id text, after_end timestamptz, after_daily_total boolean, most int
) RETURNS TABLE (
  ts timestamptz, device_id text, ends_at timestamptz, worn boolean, daily_total boolean, heart_rate double precision, steps int,
  calories double precision, metrics json
)
-- STABLE, so that all windows are read in one snapshot.
LANGUAGE plpgsql STABLE
-- The query's text contains timestamps, and only the ISO style is unambiguous.
SET datestyle = 'ISO'
AS $$
DECLARE
  -- Finite, so that the loop over windows ends.
  start  timestamptz := greatest(range_start, after_ts, '4713-01-02 00:00:00Z BC');
  finish CONSTANT timestamptz := least(range_end, '100000-01-01 00:00:00Z');
  -- Most users have none, and then nothing is asked for.
  has_intervals CONSTANT boolean := with_intervals AND EXISTS (SELECT FROM core.interval_series AS s WHERE s.user_key = wanted_user);
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
      'SELECT ts, d.device_id, NULL::timestamptz, false, false, r.heart_rate, r.steps, r.calories,
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
        WHERE $1 IS NULL OR (ts, d.device_id) > ($1, $2)%5$s
        ORDER BY 1, 2, 3 NULLS FIRST, 5
        LIMIT $3', wanted_user, start, stop,
      CASE WHEN any_device THEN '' ELSE format(' AND r.device_key = %L', wanted_device) END,
      -- What begins and ends together is one item, but for daily totals, since a reading is one or is none.
      CASE WHEN has_intervals THEN format(
        ' UNION ALL
         SELECT i.ts, d.device_id, i.ends_at, i.worn, i.is_daily, NULL, i.steps, i.calories, (''{'' || coalesce(i.metrics, '''') || ''}'')::json
           FROM (SELECT i.ts, i.device_key, i.ends_at, bool_or(i.kind = 1) AS worn, i.kind = 2 AS is_daily,
                        (max(i.value) FILTER (WHERE i.metric_key = 2))::int AS steps, max(i.value) FILTER (WHERE i.metric_key = 3) AS calories,
                        string_agg(to_json(m.name)::text || '':'' || to_json(i.value)::text, '','' ORDER BY i.metric_key)
                          FILTER (WHERE i.metric_key = ANY ($4)) AS metrics
                   FROM (%s) AS i
                   LEFT JOIN core.metric AS m USING (metric_key)
                  WHERE i.metric_key IN (0, 2, 3) OR i.metric_key = ANY ($4)
                  GROUP BY i.ts, i.device_key, i.ends_at, i.kind = 2) AS i
           JOIN core.device AS d USING (device_key)
          WHERE $1 IS NULL OR (i.ts, d.device_id, i.ends_at, i.is_daily) > ($1, $2, coalesce($5, ''-infinity''), coalesce($6, false))',
        api_internal.select_intervals(wanted_user, CASE WHEN NOT any_device THEN wanted_device END, start, stop)) ELSE '' END)
      USING after_ts, after_device_id, most, metric_keys, after_end, after_daily_total;
    GET DIAGNOSTICS rows = ROW_COUNT;
    most := most - rows;
    start := stop;
    width := 2 * width;
  END LOOP;
END
$$;

COMMENT ON FUNCTION api_internal.page_of_measurements IS
  'The implementation of api_internal.user_measurements, which callers use instead: reads six hours, then twice as much, until there are enough items or the range ends.';
