-- Quarters of an hour in which several devices of a user reported.
CREATE FUNCTION api_internal.roll_up_meetings(day timestamptz, user_keys int[], device_keys int[], buckets timestamptz[]) RETURNS void
LANGUAGE plpgsql
SET datestyle = 'ISO'
SET work_mem = '64MB'
-- The planner cannot know how many devices meet, and would sort the readings, or scan those of all users.
SET enable_sort = off
SET enable_mergejoin = off
AS $$
BEGIN
  -- Literal bounds let the planner exclude chunks.
  EXECUTE format(
    'WITH by_minute AS MATERIALIZED (
       SELECT m.user_key, m.device_key, public.time_bucket(INTERVAL ''15 minutes'', q.bucket) AS quarter, q.*,
              d.heart_rate_rank, d.steps_rank, d.calories_rank
         FROM (SELECT u.user_key, u.device_key, unnest(range_agg(tstzrange(u.bucket, u.bucket + INTERVAL ''15 minutes''))) AS run
                 FROM unnest($1, $2, $3) AS u (user_key, device_key, bucket)
                GROUP BY u.user_key, u.device_key) AS m
         JOIN core.device AS d ON d.device_key = m.device_key
        -- One index lookup for each device and run of quarters, which OFFSET enforces.
        CROSS JOIN LATERAL (
          SELECT public.time_bucket(INTERVAL ''1 minute'', r.bucket) AS bucket,
                 min(r.first_ts) AS first_ts, max(r.last_ts) AS last_ts,
                 sum(r.heart_rate_sum)::bigint AS heart_rate_sum, sum(r.heart_rate_count)::int AS heart_rate_count,
                 min(r.heart_rate_min) AS heart_rate_min, max(r.heart_rate_max) AS heart_rate_max,
                 sum(r.calories)::bigint AS calories, sum(r.steps)::bigint AS steps
            FROM api_internal.%3$I AS r
           WHERE r.user_key = m.user_key AND r.device_key = m.device_key
             AND r.bucket >= lower(m.run) AND r.bucket < upper(m.run)
             AND r.bucket >= %1$L AND r.bucket < %2$L
           GROUP BY 1
          OFFSET 0) AS q
     ), by_device AS MATERIALIZED (
       SELECT b.user_key, b.device_key, b.quarter AS bucket, min(b.first_ts) AS first_ts, max(b.last_ts) AS last_ts,
              sum(b.heart_rate_sum)::bigint AS heart_rate_sum, sum(b.heart_rate_count)::int AS heart_rate_count,
              min(b.heart_rate_min) AS heart_rate_min, max(b.heart_rate_max) AS heart_rate_max,
              sum(b.calories)::bigint AS calories, sum(b.steps)::bigint AS steps
         FROM by_minute AS b
        GROUP BY b.user_key, b.device_key, b.quarter
     ), best AS (
       -- The best device of each minute and metric: the smallest priority, then the one registered first.
       SELECT b.user_key, b.quarter, b.bucket, min(b.first_ts) AS first_ts, max(b.last_ts) AS last_ts,
              public.first(b.heart_rate_sum, b.heart_rate_rank) FILTER (WHERE b.heart_rate_count > 0) AS heart_rate_sum,
              coalesce(public.first(b.heart_rate_count, b.heart_rate_rank) FILTER (WHERE b.heart_rate_count > 0), 0) AS heart_rate_count,
              public.first(b.heart_rate_min, b.heart_rate_rank) FILTER (WHERE b.heart_rate_count > 0) AS heart_rate_min,
              public.first(b.heart_rate_max, b.heart_rate_rank) FILTER (WHERE b.heart_rate_count > 0) AS heart_rate_max,
              public.first(b.calories, b.calories_rank) FILTER (WHERE b.calories IS NOT NULL) AS calories,
              public.first(b.steps, b.steps_rank) FILTER (WHERE b.steps IS NOT NULL) AS steps,
              public.first(b.device_key, b.heart_rate_rank) FILTER (WHERE b.heart_rate_count > 0) AS heart_rate_device,
              min(b.device_key) AS least_device, max(b.device_key) AS greatest_device
         FROM by_minute AS b
        GROUP BY b.user_key, b.quarter, b.bucket
     ), users_written AS (
       INSERT INTO rollup.user_15m AS t (user_key, bucket, first_ts, last_ts, heart_rate_sum, heart_rate_count,
                                         heart_rate_min, heart_rate_max, calories, steps, heart_rate_device, sole_device,
                                         worn_minutes)
         SELECT b.user_key, b.quarter, min(b.first_ts), max(b.last_ts), sum(b.heart_rate_sum)::bigint,
                sum(b.heart_rate_count)::int, min(b.heart_rate_min), max(b.heart_rate_max), sum(b.calories)::bigint,
                sum(b.steps)::bigint,
                -- The device if a single one gave all heart rates. 0 stands for several.
                CASE WHEN min(b.heart_rate_device) = max(b.heart_rate_device) THEN min(b.heart_rate_device)
                     WHEN min(b.heart_rate_device) IS NOT NULL THEN 0 END,
                CASE WHEN min(b.least_device) = max(b.greatest_device) THEN min(b.least_device) END,
                count(*) FILTER (WHERE b.heart_rate_count > 0)
           FROM best AS b
          GROUP BY b.user_key, b.quarter
          ORDER BY b.user_key, b.quarter
       ON CONFLICT (user_key, bucket) DO UPDATE
         SET first_ts = excluded.first_ts, last_ts = excluded.last_ts, heart_rate_sum = excluded.heart_rate_sum,
             heart_rate_count = excluded.heart_rate_count, heart_rate_min = excluded.heart_rate_min,
             heart_rate_max = excluded.heart_rate_max, calories = excluded.calories, steps = excluded.steps,
             heart_rate_device = excluded.heart_rate_device, sole_device = excluded.sole_device,
             worn_minutes = excluded.worn_minutes
         WHERE t IS DISTINCT FROM excluded
     )
     INSERT INTO rollup.device_15m AS t (user_key, device_key, bucket, first_ts, last_ts, heart_rate_sum,
                                         heart_rate_count, heart_rate_min, heart_rate_max, calories, steps)
       SELECT b.user_key, b.device_key, b.bucket, b.first_ts, b.last_ts, b.heart_rate_sum, b.heart_rate_count,
              b.heart_rate_min, b.heart_rate_max, b.calories, b.steps
         FROM by_device AS b
        ORDER BY b.user_key, b.bucket, b.device_key
     ON CONFLICT (user_key, bucket, device_key) DO UPDATE
       SET first_ts = excluded.first_ts, last_ts = excluded.last_ts, heart_rate_sum = excluded.heart_rate_sum,
           heart_rate_count = excluded.heart_rate_count, heart_rate_min = excluded.heart_rate_min,
           heart_rate_max = excluded.heart_rate_max, calories = excluded.calories, steps = excluded.steps
       WHERE t IS DISTINCT FROM excluded',
    day, day + INTERVAL '24 hours', api_internal.raw_source(day)) USING user_keys, device_keys, buckets;
END
$$;

COMMENT ON FUNCTION api_internal.roll_up_meetings IS
  'The part of api_internal.roll_up that chooses between devices: writes the rows of the user and of each device, for quarters of an hour of a day (UTC) in which several of a user''s devices reported, given as arrays of users, devices and buckets of one length.';
