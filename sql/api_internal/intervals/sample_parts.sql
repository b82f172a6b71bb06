-- Samples of many users by device and bucket, planned separately.
CREATE FUNCTION api_internal.sample_parts(
  user_keys int[], metric_keys int[], device_keys int[], starts timestamptz[], ends timestamptz[], width interval
) RETURNS SETOF api_internal.cell_part
LANGUAGE plpgsql STABLE
SET datestyle = 'ISO'
SET work_mem = '64MB'
SET enable_sort = off
AS $$
BEGIN
  -- Literal bounds let the planner exclude chunks.
  RETURN QUERY EXECUTE format(
    'SELECT q.bucket, q.first_ts, q.last_ts, q.minutes, q.samples, a.user_key, a.metric_key, a.device_key, q.total
       FROM unnest($1, $2, $3, $4, $5) AS a (user_key, metric_key, device_key, range_start, range_end)
      -- One index lookup for each series and range, which OFFSET enforces.
      CROSS JOIN LATERAL (
        SELECT public.time_bucket($6, s.ts) AS bucket, min(s.ts) AS first_ts, max(s.ts) AS last_ts,
               bit_or(1::bigint << date_part(''minute'', s.ts AT TIME ZONE ''UTC'')::int) AS minutes, count(*) AS samples,
               sum(round(s.value * 1e6)::bigint) AS total
          FROM core.sample AS s
         WHERE s.user_key = a.user_key AND s.metric_key = a.metric_key AND s.device_key = a.device_key
           AND s.ts >= a.range_start AND s.ts < a.range_end AND s.ts >= %L AND s.ts < %L
         GROUP BY 1
        OFFSET 0) AS q',
    (SELECT min(s) FROM unnest(starts) AS s), (SELECT max(e) FROM unnest(ends) AS e))
    USING user_keys, metric_keys, device_keys, starts, ends, width;
END
$$;

COMMENT ON FUNCTION api_internal.sample_parts IS
  'The samples of series (user, metric, device) in half-open ranges, given as arrays of one length, by bucket of a width that divides the hour.';
