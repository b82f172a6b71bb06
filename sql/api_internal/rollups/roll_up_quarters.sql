-- Quarters of an hour, from raw readings.
CREATE FUNCTION api_internal.roll_up_quarters(day timestamptz, user_keys int[], quarters bit(96)[]) RETURNS void
LANGUAGE plpgsql
SET datestyle = 'ISO'
SET work_mem = '64MB'
-- The planner cannot know how much of a day is marked, and would sort the readings, or scan those of all users.
SET enable_sort = off
SET enable_mergejoin = off
AS $$
DECLARE
  found record;
BEGIN
  -- Literal bounds let the planner exclude chunks.
  EXECUTE format(
    'WITH RECURSIVE marked AS MATERIALIZED (
       SELECT m.user_key, m.quarters FROM unnest($1, $2) AS m (user_key, quarters)
     ), runs AS MATERIALIZED (
       SELECT m.user_key, lower(r.run) AS run_start, upper(r.run) AS run_end
         FROM marked AS m
        CROSS JOIN LATERAL unnest(api_internal.quarter_ranges(%1$L, m.quarters)) AS r (run)
     ), worn AS (
       -- A skip scan over the devices of a user: in the index the readings of a device are adjacent.
       SELECT m.user_key, (SELECT r.device_key
                             FROM api_internal.%3$I AS r
                            WHERE r.user_key = m.user_key AND r.bucket >= %1$L AND r.bucket < %2$L
                            ORDER BY r.device_key
                            LIMIT 1) AS device_key
         FROM marked AS m
       UNION ALL
       SELECT w.user_key, (SELECT r.device_key
                             FROM api_internal.%3$I AS r
                            WHERE r.user_key = w.user_key AND r.device_key > w.device_key
                              AND r.bucket >= %1$L AND r.bucket < %2$L
                            ORDER BY r.device_key
                            LIMIT 1)
         FROM worn AS w
        WHERE w.device_key IS NOT NULL
     ), by_device AS MATERIALIZED (
       -- One index lookup for each device and run of quarters, which OFFSET enforces.
       SELECT w.user_key, w.device_key, q.*
         FROM worn AS w
         JOIN runs AS x ON x.user_key = w.user_key
        CROSS JOIN LATERAL (
          SELECT public.time_bucket(INTERVAL ''15 minutes'', r.bucket) AS bucket,
                 min(r.first_ts) AS first_ts, max(r.last_ts) AS last_ts,
                 sum(r.heart_rate_sum)::bigint AS heart_rate_sum, sum(r.heart_rate_count)::int AS heart_rate_count,
                 min(r.heart_rate_min) AS heart_rate_min, max(r.heart_rate_max) AS heart_rate_max,
                 sum(r.calories)::bigint AS calories, sum(r.steps)::bigint AS steps,
                 -- A bit for each minute, which costs a fifth of counting distinct minutes.
                 bit_count(bit_or(1 << (date_part(''minute'', r.bucket AT TIME ZONE ''UTC'')::int %% 15))
                             FILTER (WHERE r.heart_rate_count > 0)::bit(15)) AS worn_minutes
            FROM api_internal.%3$I AS r
           WHERE r.user_key = w.user_key AND r.device_key = w.device_key AND r.bucket >= x.run_start AND r.bucket < x.run_end
             AND r.bucket >= %1$L AND r.bucket < %2$L
           GROUP BY 1
          OFFSET 0) AS q
        WHERE w.device_key IS NOT NULL
     ), met AS MATERIALIZED (
       SELECT b.user_key, b.bucket FROM by_device AS b GROUP BY b.user_key, b.bucket HAVING count(*) > 1
     ), written AS (
       -- Quarters of a single device, where no choice between devices is needed.
       INSERT INTO rollup.user_15m AS t (user_key, bucket, first_ts, last_ts, heart_rate_sum, heart_rate_count,
                                         heart_rate_min, heart_rate_max, calories, steps, heart_rate_device, sole_device,
                                         worn_minutes)
         SELECT b.user_key, b.bucket, b.first_ts, b.last_ts, b.heart_rate_sum, b.heart_rate_count, b.heart_rate_min,
                b.heart_rate_max, b.calories, b.steps, CASE WHEN b.heart_rate_count > 0 THEN b.device_key END, b.device_key,
                coalesce(b.worn_minutes, 0)
           FROM by_device AS b
          WHERE NOT EXISTS (SELECT FROM met AS m WHERE m.user_key = b.user_key AND m.bucket = b.bucket)
          ORDER BY b.user_key, b.bucket
       ON CONFLICT (user_key, bucket) DO UPDATE
         SET first_ts = excluded.first_ts, last_ts = excluded.last_ts, heart_rate_sum = excluded.heart_rate_sum,
             heart_rate_count = excluded.heart_rate_count, heart_rate_min = excluded.heart_rate_min,
             heart_rate_max = excluded.heart_rate_max, calories = excluded.calories, steps = excluded.steps,
             heart_rate_device = excluded.heart_rate_device, sole_device = excluded.sole_device,
             worn_minutes = excluded.worn_minutes
         WHERE t IS DISTINCT FROM excluded
     ), gone AS MATERIALIZED (
       SELECT k.user_key, k.bucket, 0 AS device_key
         FROM runs AS x
        CROSS JOIN LATERAL (SELECT t.user_key, t.bucket
                              FROM rollup.user_15m AS t
                             WHERE t.user_key = x.user_key AND t.bucket >= x.run_start AND t.bucket < x.run_end
                               AND t.bucket >= %1$L AND t.bucket < %2$L
                            OFFSET 0) AS k
        WHERE NOT EXISTS (SELECT FROM by_device AS b WHERE b.user_key = k.user_key AND b.bucket = k.bucket)
       UNION ALL
       SELECT k.user_key, k.bucket, k.device_key
         FROM runs AS x
        CROSS JOIN LATERAL (SELECT t.user_key, t.bucket, t.device_key
                              FROM rollup.device_15m AS t
                             WHERE t.user_key = x.user_key AND t.bucket >= x.run_start AND t.bucket < x.run_end
                               AND t.bucket >= %1$L AND t.bucket < %2$L
                            OFFSET 0) AS k
        WHERE NOT EXISTS (SELECT FROM by_device AS b
                           WHERE b.user_key = k.user_key AND b.bucket = k.bucket AND b.device_key = k.device_key)
           OR NOT EXISTS (SELECT FROM met AS m WHERE m.user_key = k.user_key AND m.bucket = k.bucket)
     )
     SELECT m.user_keys, m.device_keys, m.buckets, g.user_keys AS gone_users, g.buckets AS gone_buckets, g.device_keys AS gone_devices
       FROM (SELECT array_agg(b.user_key) AS user_keys, array_agg(b.device_key) AS device_keys, array_agg(b.bucket) AS buckets
               FROM by_device AS b
               JOIN met USING (user_key, bucket)) AS m
      CROSS JOIN (SELECT array_agg(k.user_key) AS user_keys, array_agg(k.bucket) AS buckets,
                         array_agg(k.device_key) AS device_keys FROM gone AS k) AS g',
    day, day + INTERVAL '24 hours', api_internal.raw_source(day)) INTO found USING user_keys, quarters;

  IF found.user_keys IS NOT NULL THEN
    PERFORM api_internal.roll_up_meetings(day, found.user_keys, found.device_keys, found.buckets);
  END IF;
  -- Delete quarters that have lost their last reading, and rows of devices that no longer meet another.
  IF found.gone_users IS NOT NULL THEN
    DELETE FROM rollup.user_15m AS t
     USING unnest(found.gone_users, found.gone_buckets, found.gone_devices) AS g (user_key, bucket, device_key)
     WHERE g.device_key = 0 AND t.user_key = g.user_key AND t.bucket = g.bucket;
    DELETE FROM rollup.device_15m AS t
     USING unnest(found.gone_users, found.gone_buckets, found.gone_devices) AS g (user_key, bucket, device_key)
     WHERE t.user_key = g.user_key AND t.bucket = g.bucket AND t.device_key = g.device_key;
  END IF;
END
$$;

COMMENT ON FUNCTION api_internal.roll_up_quarters IS
  'The part of api_internal.roll_up that reads raw readings and writes rollup.user_15m and rollup.device_15m. Unchanged rows are not written.';
