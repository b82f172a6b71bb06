-- Quarters of an hour of users who have intervals.
CREATE FUNCTION api_internal.roll_up_cells(day timestamptz, user_keys int[], quarters bit(96)[]) RETURNS void
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan
SET work_mem = '64MB'
-- The planner does not know how much there is, and would join by nested loops, or sort.
SET enable_nestloop = off
SET enable_mergejoin = off
SET enable_sort = off
AS $$
DECLARE
  asked record;
  gone  record;
BEGIN
  SELECT array_agg(r.user_key) AS user_keys, array_agg(lower(r.run)) AS starts, array_agg(upper(r.run)) AS ends INTO asked
    FROM (SELECT m.user_key, unnest(api_internal.whole_hours(api_internal.quarter_ranges(roll_up_cells.day, m.quarters))) AS run
            FROM unnest(user_keys, quarters) AS m (user_key, quarters)) AS r;
  IF asked.user_keys IS NULL THEN
    RETURN;
  END IF;

  WITH marked AS MATERIALIZED (
    SELECT m.user_key, r.ranges
      FROM unnest(user_keys, quarters) AS m (user_key, quarters)
     CROSS JOIN LATERAL api_internal.quarter_ranges(roll_up_cells.day, m.quarters) AS r (ranges)
     WHERE r.ranges IS NOT NULL
  ), found AS MATERIALIZED (
    SELECT q.*, public.time_bucket(INTERVAL '1 hour', q.bucket) AS hour
      FROM api_internal.device_quarters(asked.user_keys, asked.starts, asked.ends) AS q
  ), sole AS MATERIALIZED (
    -- Series of users who have intervals of one device, and nothing else.
    SELECT r.user_key, s.metric_key, s.device_key, r.range_start, r.range_end
      FROM unnest(asked.user_keys, asked.starts, asked.ends) AS r (user_key, range_start, range_end)
     CROSS JOIN LATERAL (SELECT s.metric_key, s.device_key, min(s.device_key) OVER () = max(s.device_key) OVER () AS is_sole
                           FROM core.interval_series AS s
                          WHERE s.user_key = r.user_key AND s.kind = 0 AND s.metric_key IN (2, 3)
                         OFFSET 0) AS s
     WHERE s.is_sole AND NOT EXISTS (SELECT FROM found AS f WHERE f.user_key = r.user_key)
  ), sole_quarters AS MATERIALIZED (
    -- Steps are counted in whole numbers, and calories in millionths.
    SELECT b.user_key, b.device_key, b.bucket, min(b.ts) AS first_ts, max(b.last_ts) AS last_ts, bool_and(b.is_plain) AS is_plain,
           sum(b.whole) FILTER (WHERE b.metric_key = 3)::bigint AS calories, sum(b.whole) FILTER (WHERE b.metric_key = 2)::bigint AS steps
      FROM (SELECT array_agg(s.user_key) AS user_keys, array_agg(s.metric_key) AS metric_keys, array_agg(s.device_key) AS device_keys,
                   array_agg(false) AS have_moments, array_agg(s.range_start) AS starts, array_agg(s.range_end) AS ends
              FROM sole AS s
            HAVING count(*) > 0) AS a
     CROSS JOIN LATERAL api_internal.interval_blocks(a.user_keys, a.metric_keys, a.device_keys, a.have_moments, a.starts, a.ends,
                                                     INTERVAL '15 minutes') AS b
     GROUP BY b.user_key, b.device_key, b.bucket
  ), overlapping AS MATERIALIZED (
    SELECT DISTINCT q.user_key FROM sole_quarters AS q WHERE NOT q.is_plain
  ), counted AS MATERIALIZED (
    SELECT c.*
      FROM (SELECT array_agg(r.user_key) AS user_keys, array_agg(r.range_start) AS starts, array_agg(r.range_end) AS ends
              FROM unnest(asked.user_keys, asked.starts, asked.ends) AS r (user_key, range_start, range_end)
             WHERE NOT EXISTS (SELECT FROM sole AS s WHERE s.user_key = r.user_key)
                OR EXISTS (SELECT FROM overlapping AS o WHERE o.user_key = r.user_key)
            HAVING count(*) > 0) AS a
     CROSS JOIN LATERAL api_internal.cell_buckets(a.user_keys, a.starts, a.ends, '{2,3}', ARRAY(
             SELECT ROW(f.bucket, f.first_ts, f.last_ts, f.steps_minutes, 0, f.user_key, 2, f.device_key, f.steps * 1000000::numeric)::api_internal.cell_part
               FROM found AS f
              WHERE f.steps IS NOT NULL
             UNION ALL
             SELECT ROW(f.bucket, f.first_ts, f.last_ts, f.calories_minutes, 0, f.user_key, 3, f.device_key, f.calories)::api_internal.cell_part
               FROM found AS f
              WHERE f.calories IS NOT NULL), INTERVAL '15 minutes') AS c
  ), beats AS MATERIALIZED (
    -- The smallest priority wins, then the device registered first.
    SELECT f.*, coalesce(bit_or(f.heart_rate_minutes) OVER (PARTITION BY f.user_key, f.bucket ORDER BY d.heart_rate_rank
                                                            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS taken
      FROM found AS f
     CROSS JOIN LATERAL (SELECT d.* FROM core.device AS d WHERE d.device_key = f.device_key OFFSET 0) AS d
  ), devices AS MATERIALIZED (
    -- Which devices measured something in an hour. Where there is one, the row of the user is also that of the device; where there are
    -- several, each quarter may depend on all of them. A device that was only worn covers nothing.
    SELECT f.user_key, f.hour, f.device_key FROM found AS f
    UNION
    SELECT c.user_key, c.cell, c.device_key FROM counted AS c WHERE c.device_key IS NOT NULL
  ), hard AS MATERIALIZED (
    -- Hours that have to be looked at minute by minute.
    SELECT c.user_key, c.cell AS hour FROM counted AS c WHERE c.is_hard AND c.device_key IS NULL
    UNION
    SELECT b.user_key, b.hour FROM beats AS b WHERE b.heart_rate_minutes & b.taken <> 0 AND b.heart_rate_minutes & ~b.taken <> 0
  ), hard_devices AS MATERIALIZED (
    SELECT DISTINCT c.user_key, c.cell AS hour, c.device_key FROM counted AS c WHERE c.is_hard AND c.device_key IS NOT NULL
  ), hours AS MATERIALIZED (
    SELECT d.user_key, d.hour, CASE WHEN count(*) = 1 THEN min(d.device_key) END AS sole_device, bool_or(h.hour IS NOT NULL) AS is_hard
      FROM devices AS d
      LEFT JOIN hard AS h USING (user_key, hour)
     GROUP BY 1, 2
  ), minute_by_minute AS MATERIALIZED (
    SELECT m.user_key, range_agg(tstzrange(h.hour, h.hour + INTERVAL '1 hour')) * m.ranges AS ranges
      FROM hard AS h
      JOIN marked AS m USING (user_key)
     GROUP BY m.user_key, m.ranges
  ), computed AS MATERIALIZED (
    SELECT c.user_key, c.bucket, min(c.first_ts) AS first_ts, max(c.last_ts) AS last_ts, sum(c.heart_rate_sum)::bigint AS heart_rate_sum,
           coalesce(sum(c.heart_rate_count), 0)::int AS heart_rate_count, min(c.heart_rate_min) AS heart_rate_min,
           max(c.heart_rate_max) AS heart_rate_max, sum(c.calories)::bigint AS calories, sum(c.steps)::bigint AS steps,
           CASE WHEN min(c.heart_rate_device) = max(c.heart_rate_device) THEN min(c.heart_rate_device)
                WHEN min(c.heart_rate_device) IS NOT NULL THEN 0 END AS heart_rate_device,
           h.sole_device, bit_count(coalesce(bit_or(c.heart_rate_minutes), 0)::bit(64)) AS worn_minutes
      FROM (SELECT b.user_key, b.hour, b.bucket, b.first_ts, b.last_ts, b.heart_rate_minutes, w.*
              FROM beats AS b
              LEFT JOIN LATERAL (SELECT b.heart_rate_sum, b.heart_rate_count, b.heart_rate_min, b.heart_rate_max, b.device_key AS heart_rate_device,
                                        NULL::bigint AS calories, NULL::bigint AS steps
                                  WHERE b.heart_rate_minutes & ~b.taken <> 0) AS w ON true
            UNION ALL
            SELECT c.user_key, c.cell, c.bucket, c.first_ts, c.last_ts, NULL, NULL, NULL, NULL, NULL, NULL,
                   CASE c.metric_key WHEN 3 THEN c.total END, CASE c.metric_key WHEN 2 THEN c.total / 1000000 END
              FROM counted AS c
             WHERE c.device_key IS NULL) AS c
      JOIN hours AS h USING (user_key, hour)
      JOIN marked AS m USING (user_key)
     WHERE NOT h.is_hard AND c.bucket <@ m.ranges
     GROUP BY c.user_key, c.bucket, h.sole_device
    UNION ALL
    SELECT r.user_key, r.bucket, r.first_ts, r.last_ts, r.heart_rate_sum, r.heart_rate_count, r.heart_rate_min, r.heart_rate_max, r.calories,
           r.steps, r.heart_rate_device, h.sole_device, r.worn_minutes
      FROM (SELECT m.user_key, public.time_bucket(INTERVAL '15 minutes', r.bucket) AS bucket, min(r.first_ts) AS first_ts, max(r.last_ts) AS last_ts,
                   sum(r.heart_rate_sum)::bigint AS heart_rate_sum, sum(r.heart_rate_count)::int AS heart_rate_count,
                   min(r.heart_rate_min) AS heart_rate_min, max(r.heart_rate_max) AS heart_rate_max, sum(r.calories)::bigint AS calories,
                   sum(r.steps)::bigint AS steps,
                   CASE WHEN min(r.heart_rate_device) = max(r.heart_rate_device) THEN min(r.heart_rate_device)
                        WHEN min(r.heart_rate_device) IS NOT NULL THEN 0 END AS heart_rate_device,
                   count(*) FILTER (WHERE r.heart_rate_count > 0) AS worn_minutes
              FROM minute_by_minute AS m
             CROSS JOIN LATERAL api_internal.minutes(m.user_key, m.ranges, NULL, true) AS r
             GROUP BY 1, 2) AS r
      JOIN hours AS h ON h.user_key = r.user_key AND h.hour = public.time_bucket(INTERVAL '1 hour', r.bucket)
    UNION ALL
    SELECT q.user_key, q.bucket, q.first_ts, q.last_ts, NULL, 0, NULL, NULL, q.calories, q.steps, NULL, q.device_key, 0
      FROM sole_quarters AS q
      JOIN marked AS m USING (user_key)
     WHERE NOT EXISTS (SELECT FROM overlapping AS o WHERE o.user_key = q.user_key) AND q.bucket <@ m.ranges
  ), by_device AS MATERIALIZED (
    SELECT c.user_key, c.device_key, c.bucket, min(c.first_ts) AS first_ts, max(c.last_ts) AS last_ts,
           sum(c.heart_rate_sum)::bigint AS heart_rate_sum, coalesce(sum(c.heart_rate_count), 0)::int AS heart_rate_count,
           min(c.heart_rate_min) AS heart_rate_min, max(c.heart_rate_max) AS heart_rate_max, sum(c.calories)::bigint AS calories,
           sum(c.steps)::bigint AS steps
      FROM (SELECT f.user_key, f.hour, f.device_key, f.bucket, f.first_ts, f.last_ts, f.heart_rate_sum, f.heart_rate_count, f.heart_rate_min,
                   f.heart_rate_max, NULL::bigint AS calories, NULL::bigint AS steps
              FROM found AS f
            UNION ALL
            SELECT c.user_key, c.cell, c.device_key, c.bucket, c.first_ts, c.last_ts, NULL, NULL, NULL, NULL,
                   CASE c.metric_key WHEN 3 THEN c.total END, CASE c.metric_key WHEN 2 THEN c.total / 1000000 END
              FROM counted AS c
             WHERE c.device_key IS NOT NULL) AS c
      JOIN hours AS h USING (user_key, hour)
      JOIN marked AS m USING (user_key)
     WHERE h.sole_device IS NULL AND c.bucket <@ m.ranges
       AND NOT EXISTS (SELECT FROM hard_devices AS d WHERE d.user_key = c.user_key AND d.hour = c.hour AND d.device_key = c.device_key)
     GROUP BY 1, 2, 3
    UNION ALL
    SELECT d.user_key, d.device_key, public.time_bucket(INTERVAL '15 minutes', r.bucket), min(r.first_ts), max(r.last_ts),
           sum(r.heart_rate_sum)::bigint, sum(r.heart_rate_count)::int, min(r.heart_rate_min), max(r.heart_rate_max), sum(r.calories)::bigint,
           sum(r.steps)::bigint
      FROM (SELECT d.user_key, d.device_key, range_agg(tstzrange(d.hour, d.hour + INTERVAL '1 hour')) * m.ranges AS ranges
              FROM hard_devices AS d
              JOIN hours AS h USING (user_key, hour)
              JOIN marked AS m USING (user_key)
             WHERE h.sole_device IS NULL
             GROUP BY d.user_key, d.device_key, m.ranges) AS d
     CROSS JOIN LATERAL api_internal.minutes(d.user_key, d.ranges, d.device_key, true) AS r
     GROUP BY 1, 2, 3
  ), users_written AS (
    INSERT INTO rollup.user_15m AS t (user_key, bucket, first_ts, last_ts, heart_rate_sum, heart_rate_count, heart_rate_min,
                                      heart_rate_max, calories, steps, heart_rate_device, sole_device, worn_minutes)
      SELECT c.user_key, c.bucket, c.first_ts, c.last_ts, c.heart_rate_sum, c.heart_rate_count, c.heart_rate_min, c.heart_rate_max,
             c.calories, c.steps, c.heart_rate_device, c.sole_device, c.worn_minutes
        FROM computed AS c
       ORDER BY c.user_key, c.bucket
    ON CONFLICT (user_key, bucket) DO UPDATE
      SET first_ts = excluded.first_ts, last_ts = excluded.last_ts, heart_rate_sum = excluded.heart_rate_sum,
          heart_rate_count = excluded.heart_rate_count, heart_rate_min = excluded.heart_rate_min,
          heart_rate_max = excluded.heart_rate_max, calories = excluded.calories, steps = excluded.steps,
          heart_rate_device = excluded.heart_rate_device, sole_device = excluded.sole_device,
          worn_minutes = excluded.worn_minutes
      WHERE t IS DISTINCT FROM excluded
  ), devices_written AS (
    INSERT INTO rollup.device_15m AS t (user_key, device_key, bucket, first_ts, last_ts, heart_rate_sum, heart_rate_count,
                                        heart_rate_min, heart_rate_max, calories, steps)
      SELECT b.user_key, b.device_key, b.bucket, b.first_ts, b.last_ts, b.heart_rate_sum, b.heart_rate_count, b.heart_rate_min,
             b.heart_rate_max, b.calories, b.steps
        FROM by_device AS b
       ORDER BY b.user_key, b.bucket, b.device_key
    ON CONFLICT (user_key, bucket, device_key) DO UPDATE
      SET first_ts = excluded.first_ts, last_ts = excluded.last_ts, heart_rate_sum = excluded.heart_rate_sum,
          heart_rate_count = excluded.heart_rate_count, heart_rate_min = excluded.heart_rate_min,
          heart_rate_max = excluded.heart_rate_max, calories = excluded.calories, steps = excluded.steps
      WHERE t IS DISTINCT FROM excluded
  ), kept AS (
    SELECT c.user_key, c.bucket, 0 AS device_key FROM computed AS c
    UNION ALL
    SELECT b.user_key, b.bucket, b.device_key FROM by_device AS b
  ), there AS (
    SELECT m.user_key, t.bucket, t.device_key
      FROM marked AS m
     CROSS JOIN LATERAL (
       SELECT t.bucket, 0 AS device_key
         FROM rollup.user_15m AS t
        WHERE t.user_key = m.user_key AND t.bucket >= lower(m.ranges) AND t.bucket < upper(m.ranges)
       UNION ALL
       SELECT t.bucket, t.device_key
         FROM rollup.device_15m AS t
        WHERE t.user_key = m.user_key AND t.bucket >= lower(m.ranges) AND t.bucket < upper(m.ranges)
       OFFSET 0) AS t
     WHERE t.bucket <@ m.ranges
  )
  SELECT array_agg(t.user_key) AS user_keys, array_agg(t.bucket) AS buckets, array_agg(t.device_key) AS device_keys INTO gone
    FROM there AS t
   WHERE NOT EXISTS (SELECT FROM kept AS k WHERE k.user_key = t.user_key AND k.bucket = t.bucket AND k.device_key = t.device_key);

  -- Delete quarters that have lost what was in them, and rows of devices that no longer meet another.
  IF gone.user_keys IS NOT NULL THEN
    -- Some rows, each by a lookup: a hash join would read the rollups as a whole.
    PERFORM pg_catalog.set_config('enable_nestloop', 'on', true);
    DELETE FROM rollup.user_15m AS t
     USING unnest(gone.user_keys, gone.buckets, gone.device_keys) AS g (user_key, bucket, device_key)
     WHERE g.device_key = 0 AND t.user_key = g.user_key AND t.bucket = g.bucket;
    DELETE FROM rollup.device_15m AS t
     USING unnest(gone.user_keys, gone.buckets, gone.device_keys) AS g (user_key, bucket, device_key)
     WHERE t.user_key = g.user_key AND t.bucket = g.bucket AND t.device_key = g.device_key;
  END IF;
END
$$;

COMMENT ON FUNCTION api_internal.roll_up_cells IS
  'The part of api_internal.roll_up that writes rollup.user_15m and rollup.device_15m for users with intervals: of those who have nothing but intervals of one device, of which none overlaps another one, from api_internal.interval_blocks, of all others from api_internal.cell_buckets, and from api_internal.minutes where hours have to be looked at minute by minute. sole_device is that of the hour, and null where several devices have readings or intervals in the hour. Unchanged rows are not written.';
