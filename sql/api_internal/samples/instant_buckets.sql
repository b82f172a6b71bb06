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
    'SELECT a.user_key, a.metric_key, a.device_key, a.range_start, a.range_end, a.may_meet, q.*
       FROM (SELECT a.*, min(a.device_key) OVER w < max(a.device_key) OVER w AS may_meet
               FROM unnest($1, $2, $3, $4, $5) AS a (user_key, metric_key, device_key, range_start, range_end)
             WINDOW w AS (PARTITION BY a.user_key, a.metric_key)) AS a
      -- One index lookup for each series and range, which OFFSET enforces.
      CROSS JOIN LATERAL (
        SELECT public.time_bucket($6, s.ts) AS bucket, min(s.ts) AS first_ts, max(s.ts) AS last_ts, min(s.value) AS lowest,
               max(s.value) AS highest, public.last(s.value, s.ts) AS last_value, count(*) AS samples,
               sum(round(s.value * 1e6)::bigint) AS total, %3$s AS minutes
          FROM core.sample AS s
         WHERE s.user_key = a.user_key AND s.metric_key = a.metric_key AND s.device_key = a.device_key
           AND s.ts >= a.range_start AND s.ts < a.range_end AND s.ts >= %1$L AND s.ts < %2$L
         GROUP BY 1
        OFFSET 0) AS q',
    range_start, range_end,
    CASE WHEN of_devices THEN 'bit_or(CASE WHEN a.may_meet THEN 1::bigint << date_part(''minute'', s.ts AT TIME ZONE ''UTC'')::int END)' ELSE 'NULL' END);
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
     ), ranked AS MATERIALIZED (
       -- Minutes of the hour are bits. In the order of the devices each takes the minutes that none before it has.
       SELECT m.*, coalesce(bit_or(m.minutes) OVER (PARTITION BY m.user_key, m.metric_key, m.bucket ORDER BY m.rank
                                                    GROUPS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS taken,
              min(m.device_key) OVER w < max(m.device_key) OVER w AS meets
         FROM (SELECT b.*, core.device_rank(d.priority, d.metric_priorities, d.device_key, b.metric_key) AS rank
                 FROM by_device AS b
                 JOIN core.device AS d USING (device_key)
                WHERE b.may_meet) AS m
       WINDOW w AS (PARTITION BY m.user_key, m.metric_key, m.bucket)
     ), parts AS MATERIALIZED (
       -- Of these buckets a part of a device''s minutes counts.
       SELECT r.user_key, r.metric_key, r.device_key, r.bucket, bit_or(r.minutes & ~r.taken) AS won,
              unnest(range_agg(tstzrange(greatest(r.bucket, r.range_start), least(r.bucket + $6, r.range_end)))) AS run
         FROM ranked AS r
        WHERE r.minutes & r.taken <> 0 AND r.minutes & ~r.taken <> 0
        GROUP BY 1, 2, 3, 4
     )
     SELECT b.user_key, b.metric_key, NULL::int, b.bucket, b.first_ts, b.last_ts, b.lowest, b.highest, b.last_value, b.samples, b.total,
            b.device_key, b.device_key
       FROM by_device AS b
      WHERE NOT b.may_meet
     UNION ALL
     SELECT r.user_key, r.metric_key, NULL, r.bucket, r.first_ts, r.last_ts, r.lowest, r.highest, r.last_value, r.samples, r.total,
            r.device_key, r.device_key
       FROM ranked AS r
      WHERE NOT r.meets
     UNION ALL
     SELECT c.user_key, c.metric_key, NULL, c.bucket, min(c.first_ts), max(c.last_ts), min(c.lowest), max(c.highest),
            public.last(c.last_value, c.last_ts), sum(c.samples)::bigint, sum(c.total),
            CASE WHEN min(c.device_key) = max(c.device_key) THEN min(c.device_key) END, NULL
       FROM (SELECT r.user_key, r.metric_key, r.device_key, r.bucket, r.first_ts, r.last_ts, r.lowest, r.highest, r.last_value, r.samples, r.total
               FROM ranked AS r
              WHERE r.meets AND r.minutes & r.taken = 0
             UNION ALL
             SELECT p.user_key, p.metric_key, p.device_key, p.bucket, q.*
               FROM parts AS p
              CROSS JOIN LATERAL (
                SELECT min(s.ts), max(s.ts), min(s.value), max(s.value), public.last(s.value, s.ts), count(*),
                       sum(round(s.value * 1e6)::bigint)
                  FROM core.sample AS s
                 WHERE s.user_key = p.user_key AND s.metric_key = p.metric_key AND s.device_key = p.device_key
                   AND s.ts >= lower(p.run) AND s.ts < upper(p.run) AND s.ts >= ' || quote_literal(range_start) || '
                   AND s.ts < ' || quote_literal(range_end) || '
                   AND (p.won >> date_part(''minute'', s.ts AT TIME ZONE ''UTC'')::int) & 1 = 1
                HAVING count(*) > 0
                OFFSET 0) AS q) AS c
      GROUP BY 1, 2, 4
     UNION ALL
     SELECT r.user_key, r.metric_key, r.device_key, r.bucket, r.first_ts, r.last_ts, r.lowest, r.highest, r.last_value, r.samples, r.total,
            NULL, NULL
       FROM ranked AS r
      WHERE r.meets'
    USING user_keys, metric_keys, device_keys, starts, ends, width;
END
$$;

COMMENT ON FUNCTION api_internal.instant_buckets IS
  'Samples by bucket of a width of whole minutes, of series (user, metric, device) in half-open ranges, given as arrays of one length; ranges of one series do not overlap. For each minute and metric only the best of the given devices counts: the smallest priority, then the one registered first; samples outside the ranges are ignored. Totals are in whole millionths of the metric''s unit, so that they are exact in any order. Minutes of an hour are bits of a number there, so that choosing costs an operation for each device and bucket, and only where a part of a device''s minutes counts its samples are read again; so with rows of devices a width is an hour at most. Rows without a device_key are what counts: best_device gave all of it, null for several; sole_device is the only device, null where several met. There rows with a device_key follow, all samples of each device. A bucket that two ranges touch may have a row for each. Without of_devices rows of devices are left out, and sole_device with them, and where devices could meet a row is a minute.';
