-- The rule of intervals: what counts in each minute of the hours that intervals or worn windows touch.
CREATE FUNCTION api_internal.counted_minutes(user_key int, metric_keys int[], ranges tstzmultirange, device_key int DEFAULT NULL)
RETURNS TABLE (
  metric_key  int,
  bucket      timestamptz,
  amount      bigint,
  samples     bigint,
  sole_device int,
  first_ts    timestamptz,
  last_ts     timestamptz
)
LANGUAGE plpgsql STABLE
-- Planned once. The parts that need literal bounds are in functions of their own.
SET plan_cache_mode = force_generic_plan
-- The planner does not know how many minutes there are: with a nested loop for a few it would take for ever for many.
SET enable_nestloop = off
SET enable_mergejoin = off
SET enable_sort = off
SET work_mem = '64MB'
AS $$
#variable_conflict use_column
DECLARE
  wanted_user CONSTANT int := user_key;
  wanted_keys CONSTANT int[] := metric_keys;
  wanted      CONSTANT tstzmultirange := ranges;
  -- Everything is resolved in whole hours, and cut afterwards.
  hours       CONSTANT tstzmultirange := api_internal.whole_hours(ranges);
  intervals   core.interval[];
  windows     core.worn_window[];
  touched     tstzmultirange;
BEGIN
  SELECT array_agg(i) INTO intervals
    FROM api_internal.overlapping_intervals(wanted_user, wanted_keys, hours, counted_minutes.device_key) AS i;
  IF counted_minutes.device_key IS NULL THEN
    -- United, since only what they cover together matters: a client may send thousands that overlap.
    SELECT array_agg(ROW(lower(u.worn), upper(u.worn), 0, wanted_user, u.device_key)::core.worn_window) INTO windows
      FROM (SELECT w.device_key, unnest(range_agg(tstzrange(w.ts, w.ends_at))) AS worn
              FROM core.worn_window AS w
             WHERE w.user_key = wanted_user AND w.ts > lower(hours) - INTERVAL '24 hours' AND w.ts < upper(hours)
               AND tstzrange(w.ts, w.ends_at) && hours
             GROUP BY w.device_key) AS u;
  END IF;
  SELECT api_internal.whole_hours(range_agg(tstzrange(e.ts, e.ends_at))) * hours INTO touched
    FROM (SELECT i.ts, i.ends_at FROM unnest(intervals) AS i
          UNION ALL
          SELECT w.ts, w.ends_at FROM unnest(windows) AS w) AS e;
  IF touched IS NULL THEN
    RETURN;
  END IF;

  RETURN QUERY
    WITH parts AS MATERIALIZED (
      -- Amounts are whole millionths, of metrics that are counted whole multiples of a million.
      SELECT i.version, i.metric_key, i.device_key, i.ts, i.ends_at, h.cell,
             CASE WHEN m.is_whole THEN 1000000 ELSE 1 END AS grain,
             CASE WHEN m.is_whole THEN round(i.value)::numeric ELSE round(i.value * 1e6)::numeric END AS whole,
             extract(epoch FROM i.ends_at - i.ts) AS length,
             i.ends_at - i.ts > INTERVAL '5 minutes' AS is_coarse, x.low, x.high
        FROM unnest(intervals) AS i
        JOIN core.metric AS m USING (metric_key)
       CROSS JOIN LATERAL generate_series(public.time_bucket(INTERVAL '1 hour', i.ts), i.ends_at - INTERVAL '1 microsecond',
                                          INTERVAL '1 hour') AS h (cell)
       CROSS JOIN LATERAL (SELECT public.time_bucket(INTERVAL '1 minute', greatest(i.ts, h.cell)),
                                  public.time_bucket(INTERVAL '1 minute', least(i.ends_at, h.cell + INTERVAL '1 hour') - INTERVAL '1 microsecond')) AS x (low, high)
       WHERE h.cell <@ hours
    ), extents AS MATERIALIZED (
      -- Of a device's intervals over the same minutes the newest. Over several minutes, since any two of these overlap.
      SELECT p.metric_key, p.device_key, p.cell, p.low, p.high, max(p.version) AS version, count(*) AS intervals
        FROM parts AS p
       WHERE p.high > p.low
       GROUP BY 1, 2, 3, 4, 5
    ), covering AS MATERIALIZED (
      SELECT e.metric_key, e.device_key, e.cell, e.low, e.high, max(n.version) AS version
        FROM extents AS e
        JOIN extents AS n USING (metric_key, device_key, cell)
       WHERE n.low <= e.low AND n.high >= e.high AND (n.version > e.version OR e.intervals > 1)
       GROUP BY 1, 2, 3, 4, 5
    ), worn AS MATERIALIZED (
      SELECT w.device_key, w.ts, w.ends_at, h.cell
        FROM unnest(windows) AS w
       CROSS JOIN LATERAL generate_series(public.time_bucket(INTERVAL '1 hour', w.ts), w.ends_at - INTERVAL '1 microsecond',
                                          INTERVAL '1 hour') AS h (cell)
       WHERE h.cell <@ hours
    ), cells AS MATERIALIZED (
      -- An hour that is wanted as a whole needs no cutting.
      SELECT c.metric_key, c.cell, wanted @> tstzrange(c.cell, c.cell + INTERVAL '1 hour') AS is_whole
        FROM (SELECT p.metric_key, p.cell FROM parts AS p
              UNION
              SELECT k.metric_key, w.cell FROM worn AS w CROSS JOIN unnest(wanted_keys) AS k (metric_key)) AS c
    ), instants AS MATERIALIZED (
      SELECT a.metric_key, a.device_key, c.cell, public.time_bucket(INTERVAL '1 minute', a.ts) AS minute, sum(a.amount)::bigint AS amount,
             sum(a.amount) FILTER (WHERE c.is_whole OR a.ts <@ wanted)::bigint AS inside, count(*) FILTER (WHERE c.is_whole OR a.ts <@ wanted) AS samples,
             min(a.ts) FILTER (WHERE c.is_whole OR a.ts <@ wanted) AS first_ts, max(a.ts) FILTER (WHERE c.is_whole OR a.ts <@ wanted) AS last_ts
        FROM api_internal.amounts(wanted_user, wanted_keys, touched, counted_minutes.device_key) AS a
        JOIN cells AS c ON c.metric_key = a.metric_key AND c.cell = public.time_bucket(INTERVAL '1 hour', a.ts)
       GROUP BY 1, 2, 3, 4
    ), pieces AS MATERIALIZED (
      -- What an interval gives to each of its minutes.
      SELECT p.version, p.metric_key, p.device_key, p.ts, p.ends_at, p.cell, p.grain, p.is_coarse, g.minute, x.piece_start, x.piece_end,
             (CASE WHEN x.piece_start = p.ts AND x.piece_end = p.ends_at THEN p.whole
                   ELSE div(p.whole * extract(epoch FROM x.piece_end - p.ts), p.length)
                        - div(p.whole * extract(epoch FROM x.piece_start - p.ts), p.length) END * p.grain)::bigint AS share,
             count(*) OVER (PARTITION BY p.metric_key, p.device_key, g.minute) AS pieces
        FROM parts AS p
        LEFT JOIN covering AS n ON n.metric_key = p.metric_key AND n.device_key = p.device_key AND n.cell = p.cell AND n.low = p.low
                               AND n.high = p.high AND n.version > p.version
       -- Where a newer interval of the device covers all of its minutes, it gives nothing, and matters in its first and last minute alone,
       -- which the newer one may not fill.
       CROSS JOIN LATERAL generate_series(p.low, p.high, CASE WHEN n.version IS NULL THEN INTERVAL '1 minute' ELSE p.high - p.low END) AS g (minute)
       CROSS JOIN LATERAL (SELECT greatest(g.minute, p.ts), least(g.minute + INTERVAL '1 minute', p.ends_at)) AS x (piece_start, piece_end)
    ), outdone AS MATERIALIZED (
      -- A device's newer interval that overlaps takes the minutes that it covers.
      -- Its pieces before it, united, rather than pair by pair: a client may send thousands that overlap.
      SELECT u.version, u.minute
        FROM (SELECT p.version, p.minute, p.piece_start, p.piece_end,
                     api_internal.union_of(tstzmultirange(tstzrange(p.piece_start, p.piece_end)))
                       OVER (PARTITION BY p.metric_key, p.device_key, p.minute ORDER BY p.version DESC
                             ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS newer
                FROM pieces AS p
               WHERE p.pieces BETWEEN 2 AND 64) AS u
       WHERE u.newer && tstzrange(u.piece_start, u.piece_end)
      UNION
      -- Of many in a minute, half against half, since their union may be as many: of two pieces the numbers in the order of their versions
      -- differ in a highest bit, at which one is among the older and the other among the newer ones of the same higher bits. The last end
      -- of the newer ones that begin before a piece ends tells whether one of them overlaps it.
      SELECT u.version, u.minute
        FROM (SELECT p.version, p.minute, b.is_newer,
                     p.piece_start < max(p.piece_end) FILTER (WHERE b.is_newer = 1)
                       OVER (PARTITION BY p.metric_key, p.device_key, p.minute, b.bit, b.higher_bits
                             ORDER BY CASE b.is_newer WHEN 1 THEN p.piece_start ELSE p.piece_end END, b.is_newer
                             ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS overlaps
                FROM (SELECT p.*, row_number() OVER (PARTITION BY p.metric_key, p.device_key, p.minute ORDER BY p.version) AS number
                        FROM pieces AS p
                       WHERE p.pieces > 64) AS p
                JOIN generate_series(0, 30) AS g (bit) ON 1 << g.bit <= p.pieces
               CROSS JOIN LATERAL (SELECT g.bit, (p.number >> g.bit) & 1 AS is_newer, p.number >> (g.bit + 1) AS higher_bits) AS b) AS u
       WHERE u.is_newer = 0 AND u.overlaps
    ), left_pieces AS MATERIALIZED (
      SELECT p.*, o.version IS NULL AND i.minute IS NULL AS counts
        FROM pieces AS p
        LEFT JOIN outdone AS o ON o.version = p.version AND o.minute = p.minute
        -- Within a device, what was measured at a moment is finer than an interval.
        LEFT JOIN instants AS i ON i.metric_key = p.metric_key AND i.device_key = p.device_key AND i.minute = p.minute
    ), present AS MATERIALIZED (
      SELECT i.metric_key, i.cell, i.minute, i.device_key FROM instants AS i
      UNION
      SELECT p.metric_key, p.cell, p.minute, p.device_key FROM pieces AS p
    ), winners AS MATERIALIZED (
      -- The best of the devices that cover a minute: the smallest priority, then the one registered first.
      SELECT v.metric_key, v.minute,
             (min(core.device_rank(d.priority, d.metric_priorities, d.device_key, v.metric_key)) & 4294967295)::int AS device_key
        FROM (SELECT p.metric_key, p.minute, p.device_key FROM present AS p
              UNION ALL
              -- A device that is worn covers what it measures in the same hour.
              SELECT m.metric_key, m.minute, w.device_key
                FROM (SELECT DISTINCT p.metric_key, p.cell, p.minute FROM present AS p) AS m
                JOIN worn AS w ON w.cell = m.cell AND w.ts < m.minute + INTERVAL '1 minute' AND w.ends_at > m.minute
                JOIN (SELECT DISTINCT p.metric_key, p.cell, p.device_key FROM present AS p) AS g
                  ON g.metric_key = m.metric_key AND g.cell = m.cell AND g.device_key = w.device_key) AS v
        JOIN core.device AS d USING (device_key)
       GROUP BY 1, 2
    ), given AS MATERIALIZED (
      SELECT w.metric_key, w.minute, w.device_key, coalesce(i.amount, 0) + coalesce(p.amount, 0) AS amount
        FROM winners AS w
        LEFT JOIN instants AS i USING (metric_key, minute, device_key)
        LEFT JOIN (SELECT p.metric_key, p.minute, p.device_key, sum(p.share) AS amount
                     FROM left_pieces AS p
                    WHERE p.counts
                    GROUP BY 1, 2, 3) AS p USING (metric_key, minute, device_key)
    ), coarse AS MATERIALIZED (
      -- The most that a coarse interval may count in an hour in which better devices, of which it is not known that they were worn
      -- throughout, won some of its minutes: what they did not count themselves.
      SELECT p.version, p.cell,
             div(greatest(sum(p.share) FILTER (WHERE p.counts) - coalesce(sum(g.amount) FILTER (WHERE g.device_key <> p.device_key
                          AND k.device_key IS NULL AND p.minute >= p.ts), 0), 0), p.grain) * p.grain AS most
        FROM left_pieces AS p
        JOIN given AS g ON g.metric_key = p.metric_key AND g.minute = p.minute
        LEFT JOIN (SELECT DISTINCT p.version, p.cell, w.device_key
                     FROM parts AS p
                     JOIN worn AS w ON w.cell = p.cell AND w.ts < least(p.ends_at, p.cell + INTERVAL '1 hour')
                                   AND w.ends_at > greatest(p.ts, p.cell)
                    WHERE p.is_coarse) AS k
               ON k.version = p.version AND k.cell = p.cell AND k.device_key = g.device_key
       WHERE p.is_coarse
       GROUP BY p.version, p.cell, p.grain
      HAVING bool_or(g.device_key <> p.device_key AND k.device_key IS NULL)
    ), won AS MATERIALIZED (
      SELECT p.*, c.most, sum(p.share) OVER (PARTITION BY p.version, p.cell ORDER BY p.minute) AS so_far,
             sum(p.share) OVER (PARTITION BY p.version, p.cell) AS in_all
        FROM left_pieces AS p
        JOIN winners AS w USING (metric_key, minute, device_key)
        LEFT JOIN coarse AS c ON c.version = p.version AND c.cell = p.cell
       WHERE p.counts
    ), counted AS MATERIALIZED (
      SELECT p.version, p.minute,
             CASE WHEN p.most < p.in_all
                  THEN (div(p.most * p.so_far, p.in_all * p.grain) - div(p.most * (p.so_far - p.share), p.in_all * p.grain)) * p.grain
                  ELSE p.share END AS share
        FROM won AS p
    ), cut AS (
      SELECT p.metric_key, p.minute, p.device_key, coalesce(c.share, 0) AS share, (p.ts >= p.minute)::int AS samples, p.piece_start AS first_ts,
             p.piece_start AS last_ts
        FROM pieces AS p
        JOIN cells AS k ON k.metric_key = p.metric_key AND k.cell = p.cell
        LEFT JOIN counted AS c ON c.version = p.version AND c.minute = p.minute
       WHERE k.is_whole
      UNION ALL
      SELECT p.metric_key, p.minute, p.device_key, CASE WHEN x.is_whole THEN coalesce(c.share, 0) ELSE z.share END,
             (p.ts >= p.minute AND p.ts <@ wanted)::int, z.first_ts, z.last_ts
        FROM pieces AS p
        JOIN cells AS k ON k.metric_key = p.metric_key AND k.cell = p.cell
        LEFT JOIN counted AS c ON c.version = p.version AND c.minute = p.minute
       CROSS JOIN LATERAL (SELECT wanted @> tstzrange(p.piece_start, p.piece_end)) AS x (is_whole)
       CROSS JOIN LATERAL (
         SELECT sum((div(c.share * extract(epoch FROM upper(r.part) - p.piece_start), l.length * p.grain)
                     - div(c.share * extract(epoch FROM lower(r.part) - p.piece_start), l.length * p.grain)) * p.grain) AS share,
                min(lower(r.part)) AS first_ts, max(lower(r.part)) AS last_ts
           FROM (SELECT extract(epoch FROM p.piece_end - p.piece_start)) AS l (length)
          CROSS JOIN unnest(CASE WHEN x.is_whole THEN tstzmultirange(tstzrange(p.piece_start, p.piece_end))
                                 ELSE wanted * tstzmultirange(tstzrange(p.piece_start, p.piece_end)) END) AS r (part)
         ) AS z
       WHERE NOT k.is_whole AND z.first_ts IS NOT NULL
    )
    SELECT v.metric_key, v.minute, coalesce(sum(v.amount) FILTER (WHERE v.device_key = w.device_key), 0)::bigint,
           coalesce(sum(v.samples) FILTER (WHERE v.device_key = w.device_key), 0)::bigint, w.device_key, min(v.first_ts), max(v.last_ts)
      FROM (SELECT i.metric_key, i.minute, i.device_key, i.inside AS amount, i.samples, i.first_ts, i.last_ts
              FROM instants AS i
             WHERE i.samples > 0
            UNION ALL
            SELECT c.metric_key, c.minute, c.device_key, coalesce(c.share, 0), c.samples, c.first_ts, c.last_ts
              FROM cut AS c) AS v
      JOIN winners AS w USING (metric_key, minute)
     GROUP BY v.metric_key, v.minute, w.device_key;
END
$$;

COMMENT ON FUNCTION api_internal.counted_minutes IS
  'What a user''s values of metrics that are sums come to in half-open, finite ranges, by metric and minute, in whole millionths: of the hours (UTC) that intervals of the metric or worn windows touch, and of no others. An hour is resolved as a whole: an interval''s amount is shared over its minutes, the best device that covers a minute wins it, and a coarse interval counts no more than what better devices leave of it. Then it is cut to the ranges. A minute in which something was measured has a row, with zero where the winner counted nothing. A device_key selects one device, of which everything counts. metric_keys are those of readings, or others.';
