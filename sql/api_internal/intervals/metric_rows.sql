-- The samples of a user that count, and intervals of metrics that are sums, by bucket.
CREATE FUNCTION api_internal.metric_rows(
  user_key int, metric_keys int[], range_start timestamptz, range_end timestamptz, device_key int, width interval, tz text DEFAULT NULL
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
SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
  -- Sums of which there are intervals, or any sum where there are worn windows.
  sums CONSTANT int[] := (SELECT array_agg(m.metric_key)
                            FROM core.metric AS m
                           WHERE m.metric_key = ANY (metric_keys) AND m.kind = 'sum'
                             AND EXISTS (SELECT FROM core.interval_series AS s
                                          WHERE s.user_key = metric_rows.user_key AND s.kind < 2 AND s.metric_key IN (0, m.metric_key)));
BEGIN
  IF sums IS NULL THEN
    RETURN QUERY
      SELECT * FROM api_internal.sample_rows(metric_rows.user_key, metric_rows.metric_keys, range_start, range_end, metric_rows.device_key, width, tz);
    RETURN;
  END IF;
  RETURN QUERY
    SELECT r.*
      FROM api_internal.sample_rows(metric_rows.user_key, ARRAY(SELECT k FROM unnest(metric_keys) AS k WHERE k <> ALL (sums)),
                                    range_start, range_end, metric_rows.device_key, width, tz) AS r;
  RETURN QUERY
    WITH counted AS MATERIALIZED (
      SELECT c.*
        FROM api_internal.counted_minutes(
               metric_rows.user_key, sums,
               tstzmultirange(tstzrange(greatest(range_start, '4713-01-02 00:00:00Z BC'),
                                        greatest(range_start, '4713-01-02 00:00:00Z BC', least(range_end, '100000-01-01 00:00:00Z')))),
               metric_rows.device_key) AS c
       WHERE range_start < range_end
    )
    SELECT m.metric_key, CASE WHEN count(m.sole_device) = count(*) AND min(m.sole_device) = max(m.sole_device) THEN min(m.sole_device) END,
           public.time_bucket(width, m.bucket), sum(m.samples)::bigint, sum(m.total), NULL::double precision, NULL::double precision,
           min(m.first_ts), max(m.last_ts), NULL::double precision
      FROM (SELECT c.metric_key, c.sole_device, c.bucket, c.samples, c.amount AS total, c.first_ts, c.last_ts FROM counted AS c
            UNION ALL
            SELECT r.metric_key, r.sole_device, r.bucket, r.samples, r.total, r.first_ts, r.last_ts
              FROM api_internal.sample_rows(metric_rows.user_key, sums, range_start, range_end, metric_rows.device_key, INTERVAL '1 minute') AS r
             WHERE NOT EXISTS (SELECT FROM counted AS c WHERE c.metric_key = r.metric_key AND c.bucket = r.bucket)) AS m
     GROUP BY 1, 3;
END
$$;

COMMENT ON FUNCTION api_internal.metric_rows IS
  'What api_internal.sample_rows returns, with intervals and worn windows where a metric that is a sum has such: in hours that they touch by api_internal.counted_minutes. There samples counts the values that count and the intervals that begin and count, and lowest, highest and last_value are null.';
