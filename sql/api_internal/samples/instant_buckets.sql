-- Samples by bucket, straight from core.sample: the choice between devices where there are no intervals.
CREATE FUNCTION api_internal.instant_buckets(
  user_keys int[], metric_keys int[], device_keys int[], starts timestamptz[], ends timestamptz[], width interval,
  of_devices boolean DEFAULT true
) RETURNS TABLE (
  user_key    int,
  metric_key  int,
  device_key  int,
  bucket      timestamptz,
  first_ts    timestamptz,
  last_ts     timestamptz,
  lowest      double precision,
  highest     double precision,
  last_value  double precision,
  samples     bigint,
  total       numeric,
  best_device int,
  sole_device int
)
LANGUAGE plpgsql STABLE
SET datestyle = 'ISO'
SET work_mem = '64MB'
-- The planner cannot know how many samples a range has, and would sort them, or join their minutes by nested loops.
SET enable_sort = off
SET enable_nestloop = off
SET enable_mergejoin = off
AS $$
DECLARE
  minute      CONSTANT interval := INTERVAL '1 minute';
  range_start CONSTANT timestamptz := (SELECT min(s) FROM unnest(starts) AS s);
  range_end   CONSTANT timestamptz := (SELECT max(e) FROM unnest(ends) AS e);
  by_device   text;
BEGIN
  -- Literal bounds let the planner exclude chunks.
  by_device := format(
    'SELECT a.user_key, a.metric_key, a.device_key, a.range_start, a.range_end, q.*
       FROM unnest($1, $2, $3, $4, $5) AS a (user_key, metric_key, device_key, range_start, range_end)
      -- One index lookup for each series and range, which OFFSET enforces.
      CROSS JOIN LATERAL (
        SELECT public.time_bucket($6, s.ts) AS bucket, min(s.ts) AS first_ts, max(s.ts) AS last_ts, min(s.value) AS lowest,
               max(s.value) AS highest, public.last(s.value, s.ts) AS last_value, count(*) AS samples,
               sum(round(s.value * 1e6)::bigint) AS total
          FROM core.sample AS s
         WHERE s.user_key = a.user_key AND s.metric_key = a.metric_key AND s.device_key = a.device_key
           AND s.ts >= a.range_start AND s.ts < a.range_end AND s.ts >= %1$L AND s.ts < %2$L
         GROUP BY 1
        OFFSET 0) AS q',
    range_start, range_end);
  IF NOT EXISTS (SELECT FROM unnest(user_keys, metric_keys, device_keys) AS a (user_key, metric_key, device_key)
                  GROUP BY a.user_key, a.metric_key
                 HAVING min(a.device_key) < max(a.device_key)) THEN
    -- No devices that could meet: a statement that is planned in a third of the time.
    RETURN QUERY EXECUTE
      'SELECT b.user_key, b.metric_key, NULL::int, b.bucket, b.first_ts, b.last_ts, b.lowest, b.highest, b.last_value, b.samples, b.total,
              b.device_key, b.device_key
         FROM (' || by_device || ') AS b'
      USING user_keys, metric_keys, device_keys, starts, ends, width;
    RETURN;
  ELSIF NOT of_devices THEN
    -- Likewise: what counts in each minute, and nothing else.
    RETURN QUERY EXECUTE
      'SELECT DISTINCT ON (b.user_key, b.metric_key, b.bucket)
              b.user_key, b.metric_key, NULL::int, b.bucket, b.first_ts, b.last_ts, b.lowest, b.highest, b.last_value, b.samples, b.total,
              b.device_key, NULL::int
         FROM (' || by_device || ') AS b
         JOIN core.device AS d USING (device_key)
        -- The smallest priority wins, then the device registered first.
        ORDER BY b.user_key, b.metric_key, b.bucket, core.device_rank(d.priority, d.metric_priorities, d.device_key, b.metric_key)'
      USING user_keys, metric_keys, device_keys, starts, ends, minute;
    RETURN;
  END IF;
  RETURN QUERY EXECUTE
    'WITH by_device AS MATERIALIZED (' || by_device || '
     ), met AS MATERIALIZED (
       SELECT b.user_key, b.metric_key, b.bucket
         FROM by_device AS b
        GROUP BY 1, 2, 3
       HAVING min(b.device_key) < max(b.device_key)
     ), by_minute AS MATERIALIZED (
       SELECT x.user_key, x.metric_key, x.device_key, x.rank, q.*
         FROM (SELECT b.user_key, b.metric_key, d.device_key,
                      core.device_rank(d.priority, d.metric_priorities, d.device_key, b.metric_key) AS rank,
                      unnest(range_agg(tstzrange(greatest(b.bucket, b.range_start), least(b.bucket + $6, b.range_end)))) AS run
                 FROM met
                 JOIN by_device AS b USING (user_key, metric_key, bucket)
                 JOIN core.device AS d USING (device_key)
                GROUP BY 1, 2, 3) AS x
        -- One index lookup for each device and run of buckets in which it met others.
        CROSS JOIN LATERAL (
          SELECT public.time_bucket($7, s.ts) AS minute, min(s.ts) AS first_ts, max(s.ts) AS last_ts, min(s.value) AS lowest,
                 max(s.value) AS highest, public.last(s.value, s.ts) AS last_value, count(*) AS samples,
                 sum(round(s.value * 1e6)::bigint) AS total
            FROM core.sample AS s
           WHERE s.user_key = x.user_key AND s.metric_key = x.metric_key AND s.device_key = x.device_key
             AND s.ts >= lower(x.run) AND s.ts < upper(x.run) AND s.ts >= ' || quote_literal(range_start) || '
             AND s.ts < ' || quote_literal(range_end) || '
           GROUP BY 1
          OFFSET 0) AS q
     ), best AS MATERIALIZED (
       -- The best device of each minute and metric: the smallest priority, then the one registered first.
       SELECT b.user_key, b.metric_key, b.minute, min(b.rank) AS rank
         FROM by_minute AS b
        GROUP BY 1, 2, 3
     )
     SELECT b.user_key, b.metric_key, NULL::int, b.bucket, b.first_ts, b.last_ts, b.lowest, b.highest, b.last_value, b.samples, b.total,
            b.device_key, b.device_key
       FROM by_device AS b
      WHERE NOT EXISTS (SELECT FROM met AS m WHERE m.user_key = b.user_key AND m.metric_key = b.metric_key AND m.bucket = b.bucket)
     UNION ALL
     SELECT b.user_key, b.metric_key, NULL, public.time_bucket($6, b.minute), min(b.first_ts), max(b.last_ts), min(b.lowest),
            max(b.highest), public.last(b.last_value, b.last_ts), sum(b.samples)::bigint, sum(b.total),
            CASE WHEN min(b.device_key) = max(b.device_key) THEN min(b.device_key) END, NULL
       FROM by_minute AS b
       JOIN best AS x USING (user_key, metric_key, minute, rank)
      GROUP BY 1, 2, 4
     UNION ALL
     SELECT b.user_key, b.metric_key, b.device_key, b.bucket, b.first_ts, b.last_ts, b.lowest, b.highest, b.last_value, b.samples, b.total,
            NULL, NULL
       FROM met AS m
       JOIN by_device AS b USING (user_key, metric_key, bucket)'
    USING user_keys, metric_keys, device_keys, starts, ends, width, minute;
END
$$;

COMMENT ON FUNCTION api_internal.instant_buckets IS
  'Samples by bucket of a width of whole minutes, of series (user, metric, device) in half-open ranges, given as arrays of one length; ranges of one series do not overlap. For each minute and metric only the best of the given devices counts: the smallest priority, then the one registered first; samples outside the ranges are ignored. Totals are in whole millionths of the metric''s unit, so that they are exact in any order. Rows without a device_key are what counts: best_device gave all of it, null for several; sole_device is the only device, null where several met. There rows with a device_key follow, all samples of each device. A bucket that two ranges touch may have a row for each. Without of_devices rows of devices are left out, and sole_device with them, and where devices could meet a row is a minute.';
