-- Intervals of many users by bucket, planned separately.
CREATE FUNCTION api_internal.interval_blocks(
  user_keys int[], metric_keys int[], device_keys int[], have_moments boolean[], starts timestamptz[], ends timestamptz[], width interval
) RETURNS TABLE (
  user_key int, metric_key int, device_key int, range_start timestamptz, range_end timestamptz, grain int, bucket timestamptz,
  ts timestamptz, last_ts timestamptz, ends_at timestamptz, minutes bigint, times bigint, whole numeric, overlaps boolean, is_long boolean,
  is_plain boolean
)
LANGUAGE plpgsql STABLE
SET datestyle = 'ISO'
SET work_mem = '64MB'
AS $$
BEGIN
  -- Literal bounds let the planner exclude chunks.
  RETURN QUERY EXECUTE format(
    'WITH found AS MATERIALIZED (
       SELECT s.user_key, s.metric_key, s.device_key, s.is_only, s.range_start, s.range_end, m.grain, b.*
         FROM (SELECT s.*, min(s.device_key) OVER w = max(s.device_key) OVER w AS is_only
                 FROM unnest($1, $2, $3, $4, $5, $6) AS s (user_key, metric_key, device_key, has_moments, range_start, range_end)
               WINDOW w AS (PARTITION BY s.user_key, s.metric_key)) AS s
         -- Amounts are whole millionths, of metrics that are counted whole multiples of a million.
         JOIN (SELECT m.metric_key, CASE WHEN m.is_whole THEN 1000000 ELSE 1 END AS grain,
                      CASE WHEN m.is_whole THEN 1 ELSE 1e6 END::double precision AS scale
                 FROM core.metric AS m) AS m USING (metric_key)
        -- One index lookup for each series and range, which OFFSET enforces.
        CROSS JOIN LATERAL (
          SELECT b.*, NOT s.has_moments AND NOT bool_or(b.overlaps) OVER () AS is_orderly
            FROM (SELECT b.bucket, b.ts, b.last_ts, b.ends_at, b.minutes, b.times, b.whole, l.has_long,
                         -- Where none overlaps another one, only the last can cross the end of the bucket.
                         CASE WHEN b.ends_at > b.bucket + $7 THEN b.wholes[array_position(b.starts, b.last_ts)] END AS crossing,
                         -- Of intervals in their order none overlaps another one if none begins before the last end until then.
                         coalesce(b.ts < max(b.ends_at) OVER (ORDER BY b.bucket ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), false)
                           -- In most buckets each begins where the one before ends, or later.
                           OR CASE WHEN b.ends[:b.times::int - 1] = b.starts[2:]
                                     OR NOT EXISTS (SELECT FROM unnest(b.starts[2:], b.ends) AS i (begins_at, last_end) WHERE i.begins_at < i.last_end)
                                   THEN false
                                   ELSE (SELECT coalesce(bool_or(i.begins_at < i.last_end), false)
                                           FROM (SELECT i.begins_at, max(i.ends_at) OVER (ORDER BY i.begins_at ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS last_end
                                                   FROM unnest(b.starts, b.ends) AS i (begins_at, ends_at)) AS i) END AS overlaps,
                         CASE WHEN l.has_long THEN b.starts END AS starts, CASE WHEN l.has_long THEN b.ends END AS ends,
                         CASE WHEN l.has_long THEN b.wholes END AS wholes
                    FROM (SELECT i.bucket, min(i.ts) AS ts, max(i.ts) AS last_ts, max(i.ends_at) AS ends_at, count(*) AS times,
                                 sum(i.whole) AS whole, bool_or(i.ends_at > i.ts + INTERVAL ''5 minutes'') AS has_coarse,
                                 bit_or(CASE WHEN NOT s.is_only OR s.has_moments
                                             THEN (2::bigint << date_part(''minute'', (i.ends_at - INTERVAL ''1 microsecond'') AT TIME ZONE ''UTC'')::int)
                                                  - (1::bigint << date_part(''minute'', i.ts AT TIME ZONE ''UTC'')::int) END) AS minutes,
                                 array_agg(i.ts) AS starts, array_agg(i.ends_at) AS ends, array_agg(i.whole) AS wholes
                            FROM (SELECT i.ts, i.ends_at, round(i.value * m.scale)::bigint AS whole, public.time_bucket($7, i.ts) AS bucket
                                    FROM core.interval AS i
                                   WHERE i.user_key = s.user_key AND i.metric_key = s.metric_key AND i.device_key = s.device_key
                                     AND i.ts > s.range_start - INTERVAL ''24 hours'' AND i.ts < s.range_end AND i.ends_at > s.range_start
                                     AND i.ts > %L AND i.ts < %L) AS i
                           GROUP BY i.bucket) AS b
                   CROSS JOIN LATERAL (SELECT b.has_coarse OR b.ends_at > b.bucket + $7 AS has_long) AS l) AS b
          OFFSET 0) AS b
     ), blocks AS NOT MATERIALIZED (
       SELECT f.*, f.is_orderly AND (f.is_only OR (f.user_key, f.metric_key) IN (SELECT o.user_key, o.metric_key
                                                                                   FROM found AS o
                                                                                  WHERE NOT o.is_only
                                                                                  GROUP BY 1, 2
                                                                                 HAVING min(o.device_key) = max(o.device_key))) AS is_plain
         FROM found AS f
     )
     SELECT f.user_key, f.metric_key, f.device_key, f.range_start, f.range_end, f.grain, f.bucket, f.ts, f.last_ts, f.ends_at,
            -- Of a device that nothing meets any will do.
            coalesce(f.minutes, 1::bigint << date_part(''minute'', f.ts AT TIME ZONE ''UTC'')::int), f.times, f.whole, f.overlaps, false, false
       FROM blocks AS f
      WHERE NOT f.has_long AND NOT f.is_plain
     UNION ALL
     -- What lies within a bucket as a whole, and of what crosses its end the share of the bucket.
     SELECT f.user_key, f.metric_key, f.device_key, f.range_start, f.range_end, f.grain, f.bucket, f.ts,
            greatest(f.last_ts, public.time_bucket(INTERVAL ''1 minute'', least(f.ends_at, f.bucket + $7) - INTERVAL ''1 microsecond'')), f.ends_at,
            NULL, f.times,
            CASE WHEN f.crossing IS NULL THEN f.whole
                 ELSE f.whole - f.crossing + api_internal.share_until(f.crossing, f.last_ts, f.ends_at, f.bucket + $7) END, false, false, true
       FROM blocks AS f
      WHERE f.is_plain AND f.bucket >= f.range_start
     UNION ALL
     -- And the share of each later bucket.
     SELECT f.user_key, f.metric_key, f.device_key, f.range_start, f.range_end, f.grain, g.bucket, g.bucket,
            public.time_bucket(INTERVAL ''1 minute'', least(f.ends_at, g.bucket + $7) - INTERVAL ''1 microsecond''), f.ends_at, NULL, 0,
            api_internal.share_until(f.crossing, f.last_ts, f.ends_at, least(f.ends_at, g.bucket + $7))
              - api_internal.share_until(f.crossing, f.last_ts, f.ends_at, g.bucket), false, false, true
       FROM blocks AS f
      CROSS JOIN LATERAL generate_series(greatest(f.bucket + $7, f.range_start), least(f.ends_at, f.range_end) - INTERVAL ''1 microsecond'',
                                         $7) AS g (bucket)
      WHERE f.crossing IS NOT NULL AND f.is_plain
     UNION ALL
     SELECT f.user_key, f.metric_key, f.device_key, f.range_start, f.range_end, f.grain, f.bucket, min(i.ts), max(i.ts), max(i.ends_at),
            -- Of what ends beyond its hour they mean nothing.
            bit_or((2::bigint << date_part(''minute'', (i.ends_at - INTERVAL ''1 microsecond'') AT TIME ZONE ''UTC'')::int)
                   - (1::bigint << date_part(''minute'', i.ts AT TIME ZONE ''UTC'')::int)),
            count(*), sum(i.whole), f.overlaps, l.since IS NOT NULL, false
       FROM blocks AS f
      CROSS JOIN LATERAL unnest(f.starts, f.ends, f.wholes) AS i (ts, ends_at, whole)
      CROSS JOIN LATERAL (SELECT CASE WHEN i.ends_at > f.bucket + $7 OR i.ends_at - i.ts > INTERVAL ''5 minutes'' THEN i.ts END) AS l (since)
      WHERE f.has_long AND NOT f.is_plain
      GROUP BY 1, 2, 3, 4, 5, 6, 7, f.overlaps, l.since',
    (SELECT min(s) FROM unnest(starts) AS s) - INTERVAL '24 hours', (SELECT max(e) FROM unnest(ends) AS e))
    USING user_keys, metric_keys, device_keys, have_moments, starts, ends, width;
END
$$;

COMMENT ON FUNCTION api_internal.interval_blocks IS
  'The intervals of series (user, metric, device) that overlap half-open ranges of whole hours, given as arrays of one length, added up by bucket of a width that divides the hour; those of more than five minutes and those that no bucket holds as a whole are long, and have a row each. Amounts are in the least unit that is shared, grain millionths; minutes are the minutes of the hour that are covered, as bits, the first minute as 1; overlaps tells that one of the bucket begins before another one of the device ends. Rows are plain where all counts that was measured: no other device of the user has intervals of the metric in the ranges, none has moments, as have_moments tells, and of a series and range no interval overlaps another one. Plain rows say what their bucket has, and several may be of one: whole is that bucket''s share, times is how many intervals begin there, last_ts is the last moment or, of what ends later, the last minute.';
