-- The samples of a user that count, by bucket: each minute and metric takes those of the best device that reported it.
CREATE FUNCTION api_internal.sample_rows(
  user_key int, metric_keys int[], range_start timestamptz, range_end timestamptz, device_key int, width interval
) RETURNS TABLE (
  metric_key  int,
  sole_device int,
  bucket      timestamptz,
  samples     bigint,
  total       numeric,
  lowest      double precision,
  highest     double precision,
  first_ts    timestamptz,
  last_ts     timestamptz,
  last_value  double precision
)
LANGUAGE plpgsql STABLE
SET datestyle = 'ISO'
AS $$
DECLARE
  -- A metric that one device measures needs no choice. Each visible sample has a visible row there.
  alone CONSTANT int[] := ARRAY(SELECT s.metric_key
                                  FROM core.sample_series AS s
                                 WHERE s.user_key = sample_rows.user_key AND s.metric_key = ANY (metric_keys)
                                   AND s.device_key = coalesce(sample_rows.device_key, s.device_key)
                                 GROUP BY 1
                                HAVING count(*) = 1);
  -- Grouped: TimescaleDB's SkipScan fails on a DISTINCT with a condition on device_key beside it, once the table has grown.
  shared CONSTANT int[] := CASE WHEN sample_rows.device_key IS NULL
                                THEN ARRAY(SELECT s.metric_key
                                             FROM core.sample_series AS s
                                            WHERE s.user_key = sample_rows.user_key AND s.metric_key = ANY (metric_keys)
                                            GROUP BY 1
                                           HAVING count(*) > 1)
                                ELSE '{}' END;
  -- Literal bounds let the planner exclude chunks.
  by_device CONSTANT text := format(
    'SELECT s.metric_key, s.device_key, public.time_bucket($1, s.ts) AS bucket, count(*) AS samples,
            sum(round(s.value * 1e6)::bigint) AS total, min(s.value) AS lowest, max(s.value) AS highest,
            min(s.ts) AS first_ts, max(s.ts) AS last_ts, public.last(s.value, s.ts) AS last_value
       FROM core.sample AS s
      WHERE s.user_key = %L AND s.metric_key = ANY ($2) AND s.ts >= %L AND s.ts < %L%s
      GROUP BY 1, 2, 3',
    user_key, range_start, range_end,
    CASE WHEN device_key IS NULL THEN '' ELSE format(' AND s.device_key = %L', device_key) END);
BEGIN
  IF alone <> '{}' THEN
    RETURN QUERY EXECUTE by_device USING width, alone;
  END IF;
  IF shared <> '{}' THEN
    RETURN QUERY EXECUTE
      'SELECT m.metric_key, CASE WHEN min(m.device_key) = max(m.device_key) THEN min(m.device_key) END,
              public.time_bucket($3, m.bucket), sum(m.samples)::bigint, sum(m.total), min(m.lowest), max(m.highest),
              min(m.first_ts), max(m.last_ts), public.last(m.last_value, m.last_ts)
         FROM (SELECT DISTINCT ON (b.metric_key, b.bucket) b.*
                 FROM (' || by_device || ') AS b
                 JOIN core.device AS d USING (device_key)
                -- The smallest priority wins, then the device registered first.
                ORDER BY b.metric_key, b.bucket, d.priority, d.device_key) AS m
        GROUP BY 1, 3' USING INTERVAL '1 minute', shared, width;
  END IF;
END
$$;

COMMENT ON FUNCTION api_internal.sample_rows IS
  'A user''s samples of metrics in a half-open range, by metric and bucket of a width of whole minutes. For each minute and metric only the best device counts: the smallest priority, then the one registered first; samples outside the range are ignored. Totals are in whole millionths of the metric''s unit, so that they are exact in any order. sole_device is null where several devices count. A device_key selects one device.';
