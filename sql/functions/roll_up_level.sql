-- Buckets of a rollup, from the finer one.
CREATE FUNCTION api.roll_up_level(finer text, coarser text, width interval, user_keys int[], buckets timestamptz[]) RETURNS void
LANGUAGE plpgsql
SET work_mem = '64MB'
SET enable_mergejoin = off
SET datestyle = 'ISO'
AS $$
BEGIN
  EXECUTE format(
    'WITH touched AS MATERIALIZED (
       SELECT u.user_key, u.bucket FROM unnest($1, $2) AS u (user_key, bucket)
     ), computed AS MATERIALIZED (
       SELECT t.user_key, t.bucket, min(q.first_ts) AS first_ts, max(q.last_ts) AS last_ts,
              sum(q.heart_rate_sum)::bigint AS heart_rate_sum, sum(q.heart_rate_count)::int AS heart_rate_count,
              min(q.heart_rate_min) AS heart_rate_min, max(q.heart_rate_max) AS heart_rate_max,
              sum(q.calories)::bigint AS calories, sum(q.steps)::bigint AS steps,
              CASE WHEN min(q.heart_rate_device) = max(q.heart_rate_device) THEN min(q.heart_rate_device)
                   WHEN min(q.heart_rate_device) IS NOT NULL THEN 0 END AS heart_rate_device,
              CASE WHEN count(q.sole_device) = count(*) AND min(q.sole_device) = max(q.sole_device)
                   THEN min(q.sole_device) END AS sole_device
         FROM touched AS t
         -- The same twice: to hash many, and to look few up in the index.
         JOIN rollup.user_%1$s AS q
           ON q.user_key = t.user_key AND public.time_bucket(%3$L::interval, q.bucket) = t.bucket
          AND q.bucket >= t.bucket AND q.bucket < t.bucket + %3$L::interval
        WHERE q.bucket >= %4$L AND q.bucket < %5$L
        GROUP BY t.user_key, t.bucket
     ), users_written AS (
       INSERT INTO rollup.user_%2$s AS t (user_key, bucket, first_ts, last_ts, heart_rate_sum, heart_rate_count,
                                          heart_rate_min, heart_rate_max, calories, steps, heart_rate_device, sole_device)
         SELECT * FROM computed ORDER BY user_key, bucket
       ON CONFLICT (user_key, bucket) DO UPDATE
         SET first_ts = excluded.first_ts, last_ts = excluded.last_ts, heart_rate_sum = excluded.heart_rate_sum,
             heart_rate_count = excluded.heart_rate_count, heart_rate_min = excluded.heart_rate_min,
             heart_rate_max = excluded.heart_rate_max, calories = excluded.calories, steps = excluded.steps,
             heart_rate_device = excluded.heart_rate_device, sole_device = excluded.sole_device
         WHERE t IS DISTINCT FROM excluded
     ), users_gone AS (
       DELETE FROM rollup.user_%2$s AS t
        USING touched AS x
        WHERE t.user_key = x.user_key AND t.bucket = x.bucket AND t.bucket >= %4$L AND t.bucket < %5$L
          AND NOT EXISTS (SELECT FROM computed AS c WHERE c.user_key = t.user_key AND c.bucket = t.bucket)
     ), by_device AS MATERIALIZED (
       -- Where several devices reported: a finer bucket in which a single one did is that device''s own.
       SELECT c.user_key, d.device_key, c.bucket, min(d.first_ts) AS first_ts, max(d.last_ts) AS last_ts,
              sum(d.heart_rate_sum)::bigint AS heart_rate_sum, sum(d.heart_rate_count)::int AS heart_rate_count,
              min(d.heart_rate_min) AS heart_rate_min, max(d.heart_rate_max) AS heart_rate_max,
              sum(d.calories)::bigint AS calories, sum(d.steps)::bigint AS steps
         FROM computed AS c
        CROSS JOIN LATERAL (
          SELECT q.sole_device AS device_key, q.first_ts, q.last_ts, q.heart_rate_sum, q.heart_rate_count,
                 q.heart_rate_min, q.heart_rate_max, q.calories, q.steps
            FROM rollup.user_%1$s AS q
           WHERE q.user_key = c.user_key AND q.bucket >= c.bucket AND q.bucket < c.bucket + %3$L::interval
             AND q.bucket >= %4$L AND q.bucket < %5$L AND q.sole_device IS NOT NULL
          UNION ALL
          SELECT q.device_key, q.first_ts, q.last_ts, q.heart_rate_sum, q.heart_rate_count, q.heart_rate_min,
                 q.heart_rate_max, q.calories, q.steps
            FROM rollup.device_%1$s AS q
           WHERE q.user_key = c.user_key AND q.bucket >= c.bucket AND q.bucket < c.bucket + %3$L::interval
             AND q.bucket >= %4$L AND q.bucket < %5$L) AS d
        WHERE c.sole_device IS NULL
        GROUP BY c.user_key, d.device_key, c.bucket
     ), devices_written AS (
       INSERT INTO rollup.device_%2$s AS t (user_key, device_key, bucket, first_ts, last_ts, heart_rate_sum,
                                            heart_rate_count, heart_rate_min, heart_rate_max, calories, steps)
         SELECT * FROM by_device ORDER BY user_key, bucket, device_key
       ON CONFLICT (user_key, bucket, device_key) DO UPDATE
         SET first_ts = excluded.first_ts, last_ts = excluded.last_ts, heart_rate_sum = excluded.heart_rate_sum,
             heart_rate_count = excluded.heart_rate_count, heart_rate_min = excluded.heart_rate_min,
             heart_rate_max = excluded.heart_rate_max, calories = excluded.calories, steps = excluded.steps
         WHERE t IS DISTINCT FROM excluded
     )
     DELETE FROM rollup.device_%2$s AS t
      USING touched AS x
      WHERE t.user_key = x.user_key AND t.bucket = x.bucket AND t.bucket >= %4$L AND t.bucket < %5$L
        AND NOT EXISTS (SELECT FROM by_device AS c
                         WHERE c.user_key = t.user_key AND c.bucket = t.bucket AND c.device_key = t.device_key)',
    -- Literal bounds, so that chunks are excluded when it is planned.
    finer, coarser, width, (SELECT min(b) FROM unnest(buckets) AS b), (SELECT max(b) + width FROM unnest(buckets) AS b))
  USING user_keys, buckets;
END
$$;

COMMENT ON FUNCTION api.roll_up_level IS
  'The part of api.roll_up that adds up buckets of a rollup (1h, 1d) from the finer one (15m, 1h): for users and buckets given as arrays of one length. What has not changed is not written.';
