-- Quarters of an hour, from raw readings.
CREATE FUNCTION api.roll_up_quarters(day timestamptz, user_keys int[], quarters bit(96)[]) RETURNS void
LANGUAGE plpgsql
SET datestyle = 'ISO'
SET work_mem = '64MB'
-- The planner cannot know how much of a day is marked, and would sort the readings, or read everybody's.
SET enable_sort = off
SET enable_mergejoin = off
AS $$
DECLARE
  gone record;
BEGIN
  -- One statement, so one snapshot of the readings. Literal bounds, so that chunks are excluded when it is planned.
  EXECUTE format(
    'WITH RECURSIVE marked AS MATERIALIZED (
       SELECT m.user_key, m.quarters FROM unnest($1, $2) AS m (user_key, quarters)
     ), runs AS MATERIALIZED (
       SELECT m.user_key, %1$L::timestamptz AS run_start, %2$L::timestamptz AS run_end
         FROM marked AS m
        WHERE m.quarters = ~ B''0''::bit(96)
       UNION ALL
       SELECT m.user_key, lower(r.run), upper(r.run)
         FROM marked AS m
        CROSS JOIN LATERAL unnest(api.quarter_ranges(%1$L, m.quarters)) AS r (run)
        WHERE m.quarters <> ~ B''0''::bit(96)
     ), worn AS (
       -- A user''s devices by skipping from one to the next, since the readings of a device lie side by side.
       SELECT m.user_key, (SELECT r.device_key
                             FROM api.raw_rows AS r
                            WHERE r.user_key = m.user_key AND r.bucket >= %1$L AND r.bucket < %2$L
                            ORDER BY r.device_key
                            LIMIT 1) AS device_key
         FROM marked AS m
       UNION ALL
       SELECT w.user_key, (SELECT r.device_key
                             FROM api.raw_rows AS r
                            WHERE r.user_key = w.user_key AND r.device_key > w.device_key
                              AND r.bucket >= %1$L AND r.bucket < %2$L
                            ORDER BY r.device_key
                            LIMIT 1)
         FROM worn AS w
        WHERE w.device_key IS NOT NULL
     ), by_device AS MATERIALIZED (
       -- A device''s readings are read in their order, and need no sorting: that is what OFFSET keeps.
       SELECT w.user_key, w.device_key, q.*
         FROM worn AS w
         JOIN runs AS x ON x.user_key = w.user_key
        CROSS JOIN LATERAL (
          SELECT public.time_bucket(INTERVAL ''15 minutes'', r.bucket) AS bucket,
                 min(r.first_ts) AS first_ts, max(r.last_ts) AS last_ts,
                 sum(r.heart_rate_sum)::bigint AS heart_rate_sum, sum(r.heart_rate_count)::int AS heart_rate_count,
                 min(r.heart_rate_min) AS heart_rate_min, max(r.heart_rate_max) AS heart_rate_max,
                 sum(r.calories)::bigint AS calories, sum(r.steps)::bigint AS steps
            FROM api.raw_rows AS r
           WHERE r.user_key = w.user_key AND r.device_key = w.device_key AND r.bucket >= x.run_start AND r.bucket < x.run_end
             AND r.bucket >= %1$L AND r.bucket < %2$L
           GROUP BY 1
          OFFSET 0) AS q
        WHERE w.device_key IS NOT NULL
     ), met AS MATERIALIZED (
       -- Only where devices meet is there anything to decide, minute by minute.
       SELECT b.user_key, b.bucket FROM by_device AS b GROUP BY b.user_key, b.bucket HAVING count(*) > 1
     ), by_minute AS (
       SELECT m.user_key, m.device_key, q.*
         FROM (SELECT b.user_key, b.device_key, b.bucket FROM by_device AS b JOIN met USING (user_key, bucket)) AS m
        CROSS JOIN LATERAL (
          SELECT public.time_bucket(INTERVAL ''1 minute'', r.bucket) AS bucket,
                 min(r.first_ts) AS first_ts, max(r.last_ts) AS last_ts,
                 sum(r.heart_rate_sum)::bigint AS heart_rate_sum, sum(r.heart_rate_count)::int AS heart_rate_count,
                 min(r.heart_rate_min) AS heart_rate_min, max(r.heart_rate_max) AS heart_rate_max,
                 sum(r.calories)::bigint AS calories, sum(r.steps)::bigint AS steps
            FROM api.raw_rows AS r
           WHERE r.user_key = m.user_key AND r.device_key = m.device_key
             AND r.bucket >= m.bucket AND r.bucket < m.bucket + INTERVAL ''15 minutes''
             AND r.bucket >= %1$L AND r.bucket < %2$L
           GROUP BY 1
          OFFSET 0) AS q
     ), ranked AS (
       -- The smaller priority wins, then the device registered first.
       SELECT b.*, (d.priority::bigint << 32) + d.device_key AS rank
         FROM by_minute AS b
         JOIN core.device AS d ON d.device_key = b.device_key
     ), best AS (
       SELECT user_key, bucket, min(first_ts) AS first_ts, max(last_ts) AS last_ts,
              public.first(heart_rate_sum, rank) FILTER (WHERE heart_rate_count > 0) AS heart_rate_sum,
              coalesce(public.first(heart_rate_count, rank) FILTER (WHERE heart_rate_count > 0), 0) AS heart_rate_count,
              public.first(heart_rate_min, rank) FILTER (WHERE heart_rate_count > 0) AS heart_rate_min,
              public.first(heart_rate_max, rank) FILTER (WHERE heart_rate_count > 0) AS heart_rate_max,
              public.first(calories, rank) FILTER (WHERE calories IS NOT NULL) AS calories,
              public.first(steps, rank) FILTER (WHERE steps IS NOT NULL) AS steps,
              public.first(device_key, rank) FILTER (WHERE heart_rate_count > 0) AS heart_rate_device
         FROM ranked
        GROUP BY user_key, bucket
     ), computed AS MATERIALIZED (
       SELECT user_key, bucket, first_ts, last_ts, heart_rate_sum, heart_rate_count, heart_rate_min, heart_rate_max,
              calories, steps, CASE WHEN heart_rate_count > 0 THEN device_key END AS heart_rate_device,
              device_key AS sole_device
         FROM by_device AS b
        WHERE NOT EXISTS (SELECT FROM met AS m WHERE m.user_key = b.user_key AND m.bucket = b.bucket)
       UNION ALL
       SELECT user_key, public.time_bucket(INTERVAL ''15 minutes'', bucket), min(first_ts), max(last_ts),
              sum(heart_rate_sum)::bigint, sum(heart_rate_count)::int, min(heart_rate_min), max(heart_rate_max),
              sum(calories)::bigint, sum(steps)::bigint,
              -- The device, where a single one gave all: 0 stands for several.
              CASE WHEN min(heart_rate_device) = max(heart_rate_device) THEN min(heart_rate_device)
                   WHEN min(heart_rate_device) IS NOT NULL THEN 0 END,
              NULL::int
         FROM best
        GROUP BY 1, 2
     ), users_written AS (
       INSERT INTO rollup.user_15m AS t (user_key, bucket, first_ts, last_ts, heart_rate_sum, heart_rate_count,
                                         heart_rate_min, heart_rate_max, calories, steps, heart_rate_device, sole_device)
         SELECT * FROM computed ORDER BY user_key, bucket
       ON CONFLICT (user_key, bucket) DO UPDATE
         SET first_ts = excluded.first_ts, last_ts = excluded.last_ts, heart_rate_sum = excluded.heart_rate_sum,
             heart_rate_count = excluded.heart_rate_count, heart_rate_min = excluded.heart_rate_min,
             heart_rate_max = excluded.heart_rate_max, calories = excluded.calories, steps = excluded.steps,
             heart_rate_device = excluded.heart_rate_device, sole_device = excluded.sole_device
         WHERE t IS DISTINCT FROM excluded
     ), devices_written AS (
       INSERT INTO rollup.device_15m AS t (user_key, device_key, bucket, first_ts, last_ts, heart_rate_sum,
                                           heart_rate_count, heart_rate_min, heart_rate_max, calories, steps)
         SELECT user_key, device_key, bucket, first_ts, last_ts, heart_rate_sum, heart_rate_count, heart_rate_min,
                heart_rate_max, calories, steps
           FROM by_device
           JOIN met USING (user_key, bucket)
          ORDER BY user_key, bucket, device_key
       ON CONFLICT (user_key, bucket, device_key) DO UPDATE
         SET first_ts = excluded.first_ts, last_ts = excluded.last_ts, heart_rate_sum = excluded.heart_rate_sum,
             heart_rate_count = excluded.heart_rate_count, heart_rate_min = excluded.heart_rate_min,
             heart_rate_max = excluded.heart_rate_max, calories = excluded.calories, steps = excluded.steps
         WHERE t IS DISTINCT FROM excluded
     )
     SELECT u.user_keys, u.buckets, d.user_keys AS of_device_users, d.device_keys, d.buckets AS of_device_buckets
       FROM (SELECT array_agg(k.user_key) AS user_keys, array_agg(k.bucket) AS buckets
               FROM runs AS x
              CROSS JOIN LATERAL (SELECT t.user_key, t.bucket
                                    FROM rollup.user_15m AS t
                                   WHERE t.user_key = x.user_key AND t.bucket >= x.run_start AND t.bucket < x.run_end
                                     AND t.bucket >= %1$L AND t.bucket < %2$L
                                  OFFSET 0) AS k
              WHERE NOT EXISTS (SELECT FROM computed AS c WHERE c.user_key = k.user_key AND c.bucket = k.bucket)) AS u
      CROSS JOIN (
             SELECT array_agg(k.user_key) AS user_keys, array_agg(k.device_key) AS device_keys, array_agg(k.bucket) AS buckets
               FROM runs AS x
              CROSS JOIN LATERAL (SELECT t.user_key, t.device_key, t.bucket
                                    FROM rollup.device_15m AS t
                                   WHERE t.user_key = x.user_key AND t.bucket >= x.run_start AND t.bucket < x.run_end
                                     AND t.bucket >= %1$L AND t.bucket < %2$L
                                  OFFSET 0) AS k
              WHERE NOT EXISTS (SELECT FROM met AS m
                                  JOIN by_device AS b USING (user_key, bucket)
                                 WHERE m.user_key = k.user_key AND m.bucket = k.bucket AND b.device_key = k.device_key)) AS d',
    day, day + INTERVAL '24 hours') INTO gone USING user_keys, quarters;

  -- Quarters that no reading is left in, and devices that met no other.
  IF gone.user_keys IS NOT NULL THEN
    DELETE FROM rollup.user_15m AS t
     USING unnest(gone.user_keys, gone.buckets) AS g (user_key, bucket)
     WHERE t.user_key = g.user_key AND t.bucket = g.bucket;
  END IF;
  IF gone.device_keys IS NOT NULL THEN
    DELETE FROM rollup.device_15m AS t
     USING unnest(gone.of_device_users, gone.device_keys, gone.of_device_buckets) AS g (user_key, device_key, bucket)
     WHERE t.user_key = g.user_key AND t.device_key = g.device_key AND t.bucket = g.bucket;
  END IF;
END
$$;

COMMENT ON FUNCTION api.roll_up_quarters IS
  'The part of api.roll_up that reads raw readings and writes rollup.user_15m and rollup.device_15m. What has not changed is not written.';
