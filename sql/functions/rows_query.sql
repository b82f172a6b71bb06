-- The text of a query over the parts of a range.
CREATE FUNCTION api.rows_query(
  user_key int, device_key int, range_start timestamptz, range_end timestamptz, coarsest text,
  OUT query text, OUT sources text[]
)
LANGUAGE plpgsql STABLE
SET datestyle = 'ISO'
AS $$
BEGIN
  -- Literal bounds, so that chunks are excluded when the query is planned; parts that are empty cost nothing.
  SELECT string_agg(
           CASE WHEN p.source = 'raw'
             THEN format('SELECT * FROM api.minutes(%L, %L, %L, %L)', user_key, p.part_start, p.part_end, device_key)
             ELSE format('SELECT bucket, first_ts, last_ts, heart_rate_sum, heart_rate_count, heart_rate_min, heart_rate_max, '
                         'calories, steps, %s AS heart_rate_device FROM rollup.%I '
                         'WHERE user_key = %L AND bucket >= %L AND bucket < %L%s%s',
                         CASE WHEN device_key IS NULL THEN 'heart_rate_device'
                              ELSE 'CASE WHEN heart_rate_count > 0 THEN device_key END' END,
                         CASE WHEN device_key IS NULL THEN 'user_' ELSE 'device_' END || p.source,
                         user_key, p.part_start, p.part_end,
                         CASE WHEN device_key IS NULL THEN '' ELSE format(' AND device_key = %L', device_key) END,
                         CASE WHEN p.stale_days IS NULL THEN ''
                              WHEN p.source = '1d' THEN format(' AND bucket <> ALL (%L::timestamptz[])', p.stale_days)
                              ELSE format(' AND public.time_bucket(INTERVAL ''24 hours'', bucket) <> ALL (%L::timestamptz[])',
                                          p.stale_days) END)
           END, ' UNION ALL '),
         array_agg(DISTINCT p.source)
    INTO query, sources
    FROM api.parts(user_key, range_start, range_end, CASE WHEN device_key IS NULL THEN coarsest ELSE '1m' END) AS p;
END
$$;

COMMENT ON FUNCTION api.rows_query IS
  'The text of a query whose rows, of any resolution, together are a user''s readings in a half-open range, and the resolutions it reads. The user key must not be null.';
