-- Intervals of many users by bucket, planned separately.
CREATE FUNCTION api_internal.interval_blocks(
  user_keys int[], metric_keys int[], device_keys int[], starts timestamptz[], ends timestamptz[], width interval
) RETURNS TABLE (
  user_key int, metric_key int, device_key int, range_start timestamptz, range_end timestamptz, grain int, bucket timestamptz,
  ts timestamptz, last_ts timestamptz, ends_at timestamptz, minutes bigint, times bigint, whole numeric, overlaps boolean, is_long boolean
)
LANGUAGE plpgsql STABLE
SET datestyle = 'ISO'
SET work_mem = '64MB'
AS $$
BEGIN
  -- Literal bounds let the planner exclude chunks.
  RETURN QUERY EXECUTE format(
    'SELECT s.user_key, s.metric_key, s.device_key, s.range_start, s.range_end, m.grain, b.*
       FROM unnest($1, $2, $3, $4, $5) AS s (user_key, metric_key, device_key, range_start, range_end)
       -- Amounts are whole millionths, of metrics that are counted whole multiples of a million.
       JOIN (SELECT m.metric_key, CASE WHEN m.is_whole THEN 1000000 ELSE 1 END AS grain, CASE WHEN m.is_whole THEN 1 ELSE 1e6 END::double precision AS scale
               FROM core.metric AS m) AS m USING (metric_key)
      -- One index lookup for each series and range, which OFFSET enforces.
      CROSS JOIN LATERAL (
        SELECT i.bucket, min(i.ts), max(i.ts), max(i.ends_at), bit_or(((2::bigint << (i.high - i.low)) - 1) << i.low), count(*),
               sum(i.whole), coalesce(bool_or(i.overlaps), false), i.is_long
          FROM (SELECT i.*, i.ends_at > i.bucket + $6 OR i.ends_at - i.ts > INTERVAL ''5 minutes'' AS is_long,
                       date_part(''minute'', i.ts AT TIME ZONE ''UTC'')::int AS low,
                       -- Of what ends beyond its hour they mean nothing.
                       greatest(date_part(''minute'', i.ts AT TIME ZONE ''UTC'')::int,
                                date_part(''minute'', (i.ends_at - INTERVAL ''1 microsecond'') AT TIME ZONE ''UTC'')::int) AS high
                  FROM (SELECT i.ts, i.ends_at, round(i.value * m.scale)::bigint AS whole, public.time_bucket($6, i.ts) AS bucket,
                               -- Of intervals in their order none overlaps another one if none begins before the last end until then.
                               i.ts < max(i.ends_at) OVER (ORDER BY i.ts ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS overlaps
                          FROM core.interval AS i
                         WHERE i.user_key = s.user_key AND i.metric_key = s.metric_key AND i.device_key = s.device_key
                           AND i.ts > s.range_start - INTERVAL ''24 hours'' AND i.ts < s.range_end AND i.ends_at > s.range_start
                           AND i.ts > %L AND i.ts < %L) AS i) AS i
         GROUP BY i.bucket, i.is_long, CASE WHEN i.is_long THEN i.ts END
        OFFSET 0) AS b',
    (SELECT min(s) FROM unnest(starts) AS s) - INTERVAL '24 hours', (SELECT max(e) FROM unnest(ends) AS e))
    USING user_keys, metric_keys, device_keys, starts, ends, width;
END
$$;

COMMENT ON FUNCTION api_internal.interval_blocks IS
  'The intervals of series (user, metric, device) that overlap half-open ranges of whole hours, given as arrays of one length, added up by bucket of a width that divides the hour; those of more than five minutes and those that no bucket holds as a whole are long, and have a row each. Amounts are in the least unit that is shared, grain millionths; minutes are the minutes of the hour that are covered, as bits, the first minute as 1; overlaps tells that one of the row begins before another one of the device ends.';
