-- What hours with intervals come to, of many users at once, where that can be said without looking at each of their minutes.
CREATE FUNCTION api_internal.cell_buckets(
  user_keys int[], starts timestamptz[], ends timestamptz[], metric_keys int[], parts api_internal.cell_part[], width interval,
  only_device int DEFAULT NULL
) RETURNS TABLE (
  user_key    int,
  metric_key  int,
  device_key  int,
  cell        timestamptz,
  bucket      timestamptz,
  first_ts    timestamptz,
  last_ts     timestamptz,
  samples     bigint,
  total       numeric,
  best_device int,
  is_hard     boolean
)
LANGUAGE plpgsql STABLE
-- Planned once. The parts that need literal bounds are in functions of their own.
SET plan_cache_mode = force_generic_plan
-- The planner does not know how much there is, and would join by nested loops, or sort.
SET enable_nestloop = off
SET enable_mergejoin = off
SET enable_sort = off
SET work_mem = '64MB'
AS $$
#variable_conflict use_column
BEGIN
  -- In this order: what there is (series to moments); who covers which minutes, and who takes them (worn to ranked); what gives way to better
  -- devices (coarse), and where none of this tells (hard); what has to be read again since a part of it counts (fine to judged); what counts of
  -- everything (valued to measured); and by device and user (devices, users).
  RETURN QUERY
    WITH series AS MATERIALIZED (
      SELECT s.user_key, s.metric_key, s.device_key, r.range_start, r.range_end, i.user_key IS NOT NULL AS has_moments
        FROM unnest(user_keys, starts, ends) AS r (user_key, range_start, range_end)
       CROSS JOIN LATERAL (SELECT s.* FROM core.interval_series AS s
                            WHERE s.user_key = r.user_key AND s.kind = 0 AND s.metric_key = ANY (metric_keys)
                              AND (only_device IS NULL OR s.device_key = only_device)
                           OFFSET 0) AS s
        LEFT JOIN (SELECT DISTINCT p.user_key, p.metric_key FROM unnest(parts) AS p) AS i
               ON i.user_key = s.user_key AND i.metric_key = s.metric_key
    ), found AS MATERIALIZED (
      SELECT b.*, public.time_bucket(INTERVAL '1 hour', b.bucket) AS cell
        FROM (SELECT array_agg(s.user_key) AS user_keys, array_agg(s.metric_key) AS metric_keys, array_agg(s.device_key) AS device_keys,
                     array_agg(s.has_moments) AS have_moments, array_agg(s.range_start) AS starts, array_agg(s.range_end) AS ends
                FROM series AS s) AS a
       CROSS JOIN LATERAL api_internal.interval_blocks(a.user_keys, a.metric_keys, a.device_keys, a.have_moments, a.starts, a.ends, width) AS b
    ), plain AS (
      -- Of a device that is alone everything counts.
      SELECT f.user_key, f.metric_key, f.device_key, f.cell, f.bucket, min(f.ts) AS first_ts, max(f.last_ts) AS last_ts, sum(f.times)::bigint AS samples,
             sum(f.whole) * f.grain AS total
        FROM found AS f
       WHERE f.is_plain
       GROUP BY f.user_key, f.metric_key, f.device_key, f.grain, f.cell, f.bucket
    ), blocks AS MATERIALIZED (
      -- All others: by bucket, and long ones one by one.
      SELECT f.* FROM found AS f WHERE NOT f.is_plain
    ), pieces AS MATERIALIZED (
      -- What a long interval gives to each bucket that it overlaps.
      SELECT p.*, public.time_bucket(INTERVAL '1 hour', p.bucket) AS cell, l.low, l.high,
             ((2::bigint << (l.high - l.low)) - 1) << l.low AS minutes,
             (api_internal.share_until(p.whole, p.ts, p.ends_at, p.piece_end) - api_internal.share_until(p.whole, p.ts, p.ends_at, p.piece_start)) * p.grain
               AS share
        FROM (SELECT b.user_key, b.metric_key, b.device_key, b.ts, b.ends_at, b.whole, b.grain, g.bucket, x.piece_start, x.piece_end, b.overlaps
                FROM blocks AS b
               CROSS JOIN LATERAL generate_series(public.time_bucket(width, greatest(b.ts, b.range_start)),
                                                  least(b.ends_at, b.range_end) - INTERVAL '1 microsecond', width) AS g (bucket)
               CROSS JOIN LATERAL (SELECT greatest(g.bucket, b.ts), least(g.bucket + width, b.ends_at)) AS x (piece_start, piece_end)
               WHERE b.is_long) AS p
       CROSS JOIN LATERAL (SELECT date_part('minute', p.piece_start AT TIME ZONE 'UTC')::int,
                                  date_part('minute', (p.piece_end - INTERVAL '1 microsecond') AT TIME ZONE 'UTC')::int) AS l (low, high)
    ), moments AS MATERIALIZED (
      SELECT p.*, public.time_bucket(INTERVAL '1 hour', p.bucket) AS cell FROM unnest(parts) AS p
    ), worn AS MATERIALIZED (
      -- The minutes that worn windows overlap, and those that they cover from start to end.
      SELECT w.user_key, w.device_key, h.cell, bit_or(((2::bigint << (x.high - x.low)) - 1) << x.low) AS minutes,
             bit_or(CASE WHEN f.high >= f.low THEN ((2::bigint << (f.high - f.low)) - 1) << f.low ELSE 0 END) AS filled
        FROM (SELECT w.user_key, w.device_key, greatest(w.ts, r.range_start) AS ts, least(w.ends_at, r.range_end) AS ends_at
                FROM unnest(user_keys, starts, ends) AS r (user_key, range_start, range_end)
               CROSS JOIN LATERAL (SELECT w.* FROM core.worn_window AS w
                                    WHERE w.user_key = r.user_key AND w.ts > r.range_start - INTERVAL '24 hours' AND w.ts < r.range_end
                                      AND w.ends_at > r.range_start
                                   OFFSET 0) AS w
               WHERE only_device IS NULL) AS w
       CROSS JOIN LATERAL generate_series(public.time_bucket(INTERVAL '1 hour', w.ts), w.ends_at - INTERVAL '1 microsecond',
                                          INTERVAL '1 hour') AS h (cell)
       CROSS JOIN LATERAL (SELECT extract(epoch FROM greatest(w.ts, h.cell) - h.cell) AS start_second,
                                  extract(epoch FROM least(w.ends_at, h.cell + INTERVAL '1 hour') - h.cell) AS end_second) AS s
       CROSS JOIN LATERAL (SELECT floor(s.start_second / 60)::int AS low, ceil(s.end_second / 60)::int - 1 AS high) AS x
       CROSS JOIN LATERAL (SELECT ceil(s.start_second / 60)::int AS low, floor(s.end_second / 60)::int - 1 AS high) AS f
       GROUP BY 1, 2, 3
    ), held AS MATERIALIZED (
      -- Of each device and hour the minutes of its intervals, and of what it measured at moments.
      SELECT m.user_key, m.metric_key, m.device_key, m.cell, coalesce(bit_or(m.of_intervals), 0) AS of_intervals,
             coalesce(bit_or(m.of_instants), 0) AS of_instants, bool_or(m.overlaps) AS overlaps
        FROM (SELECT b.user_key, b.metric_key, b.device_key, b.cell, b.minutes AS of_intervals, NULL::bigint AS of_instants, b.overlaps
                FROM blocks AS b
               WHERE NOT b.is_long
              UNION ALL
              SELECT p.user_key, p.metric_key, p.device_key, p.cell, p.minutes, NULL, p.overlaps
                FROM pieces AS p
              UNION ALL
              SELECT i.user_key, i.metric_key, i.device_key, i.cell, NULL, i.minutes, false
                FROM moments AS i) AS m
       GROUP BY 1, 2, 3, 4
    ), ranked AS MATERIALIZED (
      -- A device that is worn covers what it measures in the same hour. Better devices take the minutes that they cover.
      SELECT c.*, bool_or(c.of_intervals <> 0 OR c.is_worn) OVER (PARTITION BY c.user_key, c.metric_key, c.cell) AS is_touched,
             coalesce(bit_or(c.covered) OVER (PARTITION BY c.user_key, c.metric_key, c.cell ORDER BY c.rank
                                                   ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS taken
        FROM (SELECT h.*, coalesce(w.filled, 0) AS filled, coalesce(w.minutes, 0) AS worn, h.of_intervals | h.of_instants | coalesce(w.minutes, 0) AS covered,
                     -- The smallest priority wins, then the device registered first.
                     d.rank, t.cell IS NOT NULL AS is_worn
                FROM held AS h
               CROSS JOIN LATERAL (SELECT core.device_rank(d.priority, d.metric_priorities, d.device_key, h.metric_key) AS rank
                                     FROM core.device AS d
                                    WHERE d.device_key = h.device_key
                                   OFFSET 0) AS d
                LEFT JOIN worn AS w USING (user_key, device_key, cell)
                LEFT JOIN (SELECT DISTINCT w.user_key, w.cell FROM worn AS w) AS t USING (user_key, cell)) AS c
    ), coarse AS MATERIALIZED (
      -- Coarse intervals that win some minutes of an hour, and each better device that wins others of their minutes and may not have been
      -- worn meanwhile: they count what such devices leave of them. What wins no minute counts nothing anyway.
      SELECT p.*, r.taken, r.of_instants, b.device_key AS better_device, b.covered & ~b.taken & p.begun AS won, b.worn & p.minutes <> 0 AS is_unclear
        FROM (SELECT p.*, CASE WHEN p.ts > p.cell AND p.ts > public.time_bucket(INTERVAL '1 minute', p.ts) THEN p.minutes & (p.minutes - 1)
                               ELSE p.minutes END AS begun
                FROM (SELECT p.user_key, p.metric_key, p.device_key, p.cell, p.ts, p.ends_at, p.whole, p.grain, bit_or(p.minutes) AS minutes
                        FROM pieces AS p
                       WHERE p.ends_at - p.ts > INTERVAL '5 minutes'
                       GROUP BY 1, 2, 3, 4, 5, 6, 7, 8) AS p) AS p
        JOIN ranked AS r USING (user_key, metric_key, device_key, cell)
        JOIN ranked AS b USING (user_key, metric_key, cell)
       WHERE b.rank < r.rank AND b.covered & ~b.taken & p.minutes <> 0 AND b.filled & p.minutes = 0 AND p.minutes & ~r.taken <> 0
    ), hard AS MATERIALIZED (
      -- Intervals of a device overlap: the newer one counts, minute by minute.
      SELECT r.user_key, r.metric_key, r.cell FROM ranked AS r WHERE r.overlaps
      UNION
      -- A worn window of the better device begins or ends in a minute of a coarse interval, and may not touch it.
      SELECT c.user_key, c.metric_key, c.cell FROM coarse AS c WHERE c.is_unclear
    ), fine AS MATERIALIZED (
      -- Of what was measured at moments of a bucket, a part counts, or a part of it lies in a coarse interval: minute by minute.
      SELECT f.*
        FROM (SELECT i.user_key, i.metric_key, i.device_key, i.cell
                FROM moments AS i
                JOIN ranked AS r USING (user_key, metric_key, device_key, cell)
               WHERE i.minutes & r.taken <> 0 AND i.minutes & ~r.taken <> 0
              UNION
              SELECT i.user_key, i.metric_key, i.device_key, i.cell
                FROM coarse AS c
                JOIN moments AS i ON i.user_key = c.user_key AND i.metric_key = c.metric_key AND i.cell = c.cell AND i.device_key = c.better_device
               WHERE i.minutes & c.won <> 0 AND i.minutes & ~c.won <> 0) AS f
       WHERE NOT EXISTS (SELECT FROM hard AS h WHERE h.user_key = f.user_key AND h.metric_key = f.metric_key AND h.cell = f.cell)
    ), instants AS MATERIALIZED (
      SELECT m.*
        FROM moments AS m
       WHERE NOT EXISTS (SELECT FROM fine AS f
                          WHERE f.user_key = m.user_key AND f.metric_key = m.metric_key AND f.device_key = m.device_key AND f.cell = m.cell)
      UNION ALL
      SELECT public.time_bucket(width, m.bucket), m.first_ts, m.last_ts, m.minutes, m.samples, m.user_key, m.metric_key, m.device_key, m.total,
             public.time_bucket(INTERVAL '1 hour', m.bucket)
        FROM (SELECT array_agg(f.user_key) AS user_keys, array_agg(f.metric_key) AS metric_keys, array_agg(f.device_key) AS device_keys,
                     array_agg(f.cell) AS cells
                FROM fine AS f
              HAVING count(*) > 0) AS a
       CROSS JOIN LATERAL api_internal.moment_parts(a.user_keys, a.metric_keys, a.device_keys, a.cells) AS m
    ), met AS MATERIALIZED (
      -- What a device measured at moments is finer than its intervals, and better devices take what they cover: all minutes of a bucket,
      -- none, or some of them.
      SELECT b.*, b.minutes & r.of_instants AS own_lost, b.minutes & r.taken AS lost,
             b.minutes & r.of_instants IN (0, b.minutes) AND b.minutes & r.taken IN (0, b.minutes) AS is_whole, h.cell IS NOT NULL AS is_hard
        FROM blocks AS b
        JOIN ranked AS r USING (user_key, metric_key, device_key, cell)
        LEFT JOIN hard AS h USING (user_key, metric_key, cell)
       WHERE NOT b.is_long
    ), capped AS MATERIALIZED (
      SELECT c.*
        FROM coarse AS c
       WHERE NOT EXISTS (SELECT FROM hard AS h WHERE h.user_key = c.user_key AND h.metric_key = c.metric_key AND h.cell = c.cell)
    ), parted AS MATERIALIZED (
      -- Buckets of whose short intervals a part counts, or lies in a coarse one.
      SELECT m.user_key, m.metric_key, m.device_key, m.bucket, m.minutes, m.is_whole
        FROM met AS m
       WHERE NOT m.is_whole AND NOT m.is_hard
      UNION
      SELECT m.user_key, m.metric_key, m.device_key, m.bucket, m.minutes, m.is_whole
        FROM capped AS c
        JOIN met AS m ON m.user_key = c.user_key AND m.metric_key = c.metric_key AND m.cell = c.cell AND m.device_key = c.better_device
       WHERE m.minutes & c.won <> 0 AND (m.minutes & ~c.won <> 0 OR m.own_lost <> 0)
    ), judged AS MATERIALIZED (
      SELECT p.*, r.of_instants, p.minutes & r.of_instants AS own_lost, p.minutes & r.taken AS lost, p.ts >= p.bucket AS begins,
             CASE WHEN p.high > p.low THEN p.cell + p.high * INTERVAL '1 minute' ELSE p.piece_start END AS last_start
        FROM (SELECT p.user_key, p.metric_key, p.device_key, p.cell, p.bucket, p.ts, p.ends_at, p.piece_start, p.piece_end, p.whole, p.grain,
                     p.low, p.high, p.minutes, p.share, NULL::bigint AS of_bucket, false AS is_whole
                FROM pieces AS p
              UNION ALL
              SELECT i.user_key, i.metric_key, i.device_key, public.time_bucket(INTERVAL '1 hour', i.bucket), i.bucket, i.ts, i.ends_at, i.ts,
                     i.ends_at, i.whole, i.grain, l.low, l.high, ((2::bigint << (l.high - l.low)) - 1) << l.low, i.whole * i.grain, m.minutes, m.is_whole
                FROM (SELECT array_agg(m.user_key) AS user_keys, array_agg(m.metric_key) AS metric_keys, array_agg(m.device_key) AS device_keys,
                             array_agg(m.bucket) AS buckets
                        FROM parted AS m) AS a
               CROSS JOIN LATERAL api_internal.short_intervals(a.user_keys, a.metric_keys, a.device_keys, a.buckets, width) AS i
               CROSS JOIN LATERAL (SELECT date_part('minute', i.ts AT TIME ZONE 'UTC')::int,
                                          date_part('minute', (i.ends_at - INTERVAL '1 microsecond') AT TIME ZONE 'UTC')::int) AS l (low, high)
                JOIN parted AS m USING (user_key, metric_key, device_key, bucket)
             ) AS p
        JOIN ranked AS r USING (user_key, metric_key, device_key, cell)
    ), valued AS MATERIALIZED (
      -- What counts of the device alone, and what counts beside others, but for what coarse intervals leave to them.
      SELECT p.*, CASE p.own_lost WHEN 0 THEN p.share WHEN p.minutes THEN 0
                       ELSE api_internal.share_of_minutes(p.whole, p.grain, p.ts, p.ends_at, p.cell, p.piece_start, p.piece_end, p.low, p.high,
                                                          p.minutes & ~p.own_lost) END AS total,
             CASE p.lost | p.own_lost WHEN 0 THEN p.share WHEN p.minutes THEN 0
                  ELSE api_internal.share_of_minutes(p.whole, p.grain, p.ts, p.ends_at, p.cell, p.piece_start, p.piece_end, p.low, p.high,
                                                     p.minutes & ~(p.lost | p.own_lost)) END AS counted
        FROM judged AS p
    ), given AS MATERIALIZED (
      -- What better devices counted in minutes that begin inside a coarse interval.
      SELECT g.user_key, g.metric_key, g.device_key, g.cell, g.ts, sum(g.amount) AS amount
        FROM (SELECT c.user_key, c.metric_key, c.device_key, c.cell, c.ts, m.whole * m.grain AS amount
                FROM capped AS c
                JOIN met AS m ON m.user_key = c.user_key AND m.metric_key = c.metric_key AND m.cell = c.cell AND m.device_key = c.better_device
               WHERE m.minutes & ~c.won = 0 AND m.own_lost = 0
              UNION ALL
              SELECT c.user_key, c.metric_key, c.device_key, c.cell, c.ts, i.total
                FROM capped AS c
                JOIN instants AS i ON i.user_key = c.user_key AND i.metric_key = c.metric_key AND i.cell = c.cell AND i.device_key = c.better_device
               WHERE i.minutes & ~c.won = 0
              UNION ALL
              SELECT c.user_key, c.metric_key, c.device_key, c.cell, c.ts,
                     CASE WHEN p.minutes & ~c.won | p.own_lost = 0 THEN p.share
                          ELSE api_internal.share_of_minutes(p.whole, p.grain, p.ts, p.ends_at, p.cell, p.piece_start, p.piece_end, p.low, p.high,
                                                             p.minutes & c.won & ~p.own_lost) END
                FROM capped AS c
                JOIN judged AS p ON p.user_key = c.user_key AND p.metric_key = c.metric_key AND p.cell = c.cell AND p.device_key = c.better_device
               WHERE p.minutes & c.won & ~p.own_lost <> 0
                 -- Of long ones, and of short ones in a bucket that is not inside as a whole.
                 AND (p.of_bucket IS NULL OR p.of_bucket & ~c.won <> 0 OR p.of_bucket & p.of_instants <> 0)) AS g
       GROUP BY 1, 2, 3, 4, 5
    ), less AS MATERIALIZED (
      -- What coarse intervals leave to them, in the order of their minutes.
      SELECT x.user_key, x.metric_key, x.device_key, x.cell, x.bucket,
             (div(x.most * x.so_far, x.in_all * x.grain) - div(x.most * (x.so_far - x.counted), x.in_all * x.grain)) * x.grain - x.counted AS amount
        FROM (SELECT p.user_key, p.metric_key, p.device_key, p.cell, p.bucket, p.grain, p.counted, sum(p.counted) OVER w AS in_all,
                     sum(p.counted) OVER (w ORDER BY p.bucket ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS so_far,
                     div(greatest(sum(p.total) OVER w - coalesce(g.amount, 0), 0), p.grain) * p.grain AS most
                FROM valued AS p
                JOIN (SELECT DISTINCT c.user_key, c.metric_key, c.device_key, c.cell, c.ts FROM capped AS c) AS c
                     USING (user_key, metric_key, device_key, cell, ts)
                LEFT JOIN given AS g USING (user_key, metric_key, device_key, cell, ts)
               WHERE p.of_bucket IS NULL
              WINDOW w AS (PARTITION BY p.user_key, p.metric_key, p.device_key, p.cell, p.ts)) AS x
       WHERE x.most < x.in_all
    ), measured AS MATERIALIZED (
      SELECT i.user_key, i.metric_key, i.device_key, i.cell, i.bucket, i.first_ts, i.last_ts, i.minutes, i.samples, i.total,
             CASE WHEN i.minutes & r.taken = 0 THEN i.samples ELSE 0 END AS counted_samples,
             CASE WHEN i.minutes & r.taken = 0 THEN i.total ELSE 0 END AS counted, r.is_touched OR i.minutes & r.taken = 0 AS is_seen
        FROM instants AS i
        JOIN ranked AS r USING (user_key, metric_key, device_key, cell)
      UNION ALL
      SELECT m.user_key, m.metric_key, m.device_key, m.cell, m.bucket, m.ts,
             greatest(m.last_ts, public.time_bucket(INTERVAL '1 minute', m.ends_at - INTERVAL '1 microsecond')), m.minutes, m.times,
             CASE m.own_lost WHEN 0 THEN m.whole * m.grain ELSE 0 END, CASE m.lost WHEN 0 THEN m.times ELSE 0 END,
             CASE m.lost | m.own_lost WHEN 0 THEN m.whole * m.grain ELSE 0 END, true
        FROM met AS m
       WHERE m.is_whole OR m.is_hard
      UNION ALL
      SELECT l.user_key, l.metric_key, l.device_key, l.cell, l.bucket, NULL, NULL, 0, 0, 0, 0, l.amount, true
        FROM less AS l
      UNION ALL
      SELECT p.user_key, p.metric_key, p.device_key, p.cell, p.bucket, min(p.piece_start), max(p.last_start), bit_or(p.minutes),
             count(*) FILTER (WHERE p.begins), sum(p.total), count(*) FILTER (WHERE p.begins AND (p.lost >> p.low) & 1 = 0), sum(p.counted), true
        FROM valued AS p
       WHERE NOT p.is_whole
       GROUP BY 1, 2, 3, 4, 5
    ), devices AS MATERIALIZED (
      SELECT m.user_key, m.metric_key, m.device_key, m.cell, m.bucket, min(m.first_ts) AS first_ts, max(m.last_ts) AS last_ts,
             bit_or(m.minutes) AS minutes, sum(m.samples) AS samples, sum(m.total) AS total, sum(m.counted_samples) AS counted_samples,
             sum(m.counted) AS counted, min(m.first_ts) FILTER (WHERE m.is_seen) AS first_seen, max(m.last_ts) FILTER (WHERE m.is_seen) AS last_seen
        FROM measured AS m
       GROUP BY 1, 2, 3, 4, 5
    ), users AS MATERIALIZED (
      -- In an hour that no interval and no worn window touches, what does not count is not seen.
      SELECT d.user_key, d.metric_key, d.cell, d.bucket, min(d.first_seen) AS first_ts, max(d.last_seen) AS last_ts,
             bit_or(d.minutes) AS minutes, sum(d.counted_samples) AS samples, sum(d.counted) AS total
        FROM devices AS d
       GROUP BY 1, 2, 3, 4
    )
    -- Of the user and of the device.
    SELECT x.user_key, x.metric_key, d.device_key, x.cell, x.bucket, x.first_ts, x.last_ts, x.samples, x.total,
           CASE WHEN d.device_key IS NULL THEN x.device_key END, false
      FROM plain AS x
     CROSS JOIN LATERAL (VALUES (NULL), (x.device_key)) AS d (device_key)
    UNION ALL
    SELECT u.user_key, u.metric_key, NULL::int, u.cell, u.bucket, u.first_ts, u.last_ts, u.samples::bigint, u.total, w.best_device,
           h.cell IS NOT NULL
      FROM users AS u
      LEFT JOIN (SELECT u.user_key, u.metric_key, u.bucket,
                        CASE WHEN min(r.device_key) = max(r.device_key) THEN min(r.device_key) END AS best_device
                   FROM users AS u
                   JOIN ranked AS r USING (user_key, metric_key, cell)
                  -- A device that was only worn in the bucket wins, too.
                  WHERE u.minutes & r.covered & ~r.taken <> 0
                  GROUP BY 1, 2, 3) AS w USING (user_key, metric_key, bucket)
      LEFT JOIN hard AS h USING (user_key, metric_key, cell)
    UNION ALL
    SELECT d.user_key, d.metric_key, d.device_key, d.cell, d.bucket, d.first_ts, d.last_ts, d.samples::bigint, d.total, NULL, h.cell IS NOT NULL
      FROM devices AS d
      LEFT JOIN (SELECT r.user_key, r.metric_key, r.device_key, r.cell FROM ranked AS r WHERE r.overlaps
                 UNION
                 SELECT m.user_key, m.metric_key, m.device_key, m.cell FROM met AS m WHERE m.is_hard AND m.own_lost NOT IN (0, m.minutes)) AS h
             USING (user_key, metric_key, device_key, cell);
END
$$;

COMMENT ON FUNCTION api_internal.cell_buckets IS
  'What metrics that are sums come to in whole hours (UTC) of users, given as half-open ranges in arrays of one length, by bucket of a width that divides the hour, in whole millionths: from all that was measured at moments there, given as parts, and from intervals and worn windows, by the rule of api_internal.counted_minutes. Minutes of an hour are bits of a number, so that covering and winning cost an operation each, and amounts are cut at minutes only where a part of them counts. Rows without a device_key are what counts, the others all that each device measured, where its intervals give way to what it measured at moments. Rows that are hard need api_internal.counted_minutes, and their amounts mean nothing: in the hour intervals of one device overlap, or a worn window of a better device begins or ends in a minute of a coarse interval. Of a device they are where its own intervals overlap, and where a part of a bucket of them gives way in an hour that is hard.';
