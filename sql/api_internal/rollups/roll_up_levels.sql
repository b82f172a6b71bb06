-- Hours from quarters of an hour, four hours from hours, days from four hours: one function for each level, so that a session
-- plans each of them once.
DO $build$
DECLARE
  level record;
BEGIN
  FOR level IN
    SELECT *
      FROM (VALUES ('15m', '1h', INTERVAL '1 hour',
                    -- A quarter counts for the resting heart rate if it has a heart rate in at least three minutes.
                    'min(q.heart_rate_sum / (q.heart_rate_count * 1e6::double precision)) FILTER (WHERE q.worn_minutes >= 3)'),
                   ('1h', '4h', INTERVAL '4 hours', 'min(q.resting_heart_rate)'),
                   ('4h', '1d', INTERVAL '24 hours', 'min(q.resting_heart_rate)')) AS l (finer, coarser, width, resting)
  LOOP
    EXECUTE format($format$
CREATE FUNCTION api_internal.roll_up_%2$s(user_keys int[], buckets timestamptz[]) RETURNS void
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan
SET work_mem = '64MB'
AS $function$
DECLARE
  gone record;
BEGIN
  -- One index lookup for each bucket, also in a cached plan that misjudges the size of the rollups.
  WITH computed AS MATERIALIZED (
    SELECT t.user_key, t.bucket, q.*
      FROM unnest(user_keys, buckets) AS t (user_key, bucket)
     CROSS JOIN LATERAL (
       SELECT min(q.first_ts) AS first_ts, max(q.last_ts) AS last_ts, sum(q.heart_rate_sum)::bigint AS heart_rate_sum,
              sum(q.heart_rate_count)::int AS heart_rate_count, min(q.heart_rate_min) AS heart_rate_min,
              max(q.heart_rate_max) AS heart_rate_max, sum(q.calories)::bigint AS calories, sum(q.steps)::bigint AS steps,
              CASE WHEN min(q.heart_rate_device) = max(q.heart_rate_device) THEN min(q.heart_rate_device)
                   WHEN min(q.heart_rate_device) IS NOT NULL THEN 0 END AS heart_rate_device,
              CASE WHEN count(q.sole_device) = count(*) AND min(q.sole_device) = max(q.sole_device)
                   THEN min(q.sole_device) END AS sole_device,
              -- Null where an earlier release rolled up readings without counting worn minutes, and the readings are dropped.
              CASE WHEN count(q.worn_minutes) = count(*) THEN sum(q.worn_minutes) END AS worn_minutes,
              %4$s AS resting_heart_rate
         FROM rollup.user_%1$s AS q
        WHERE q.user_key = t.user_key AND q.bucket >= t.bucket AND q.bucket < t.bucket + %3$L::interval) AS q
  ), by_device AS MATERIALIZED (
    -- Where several devices reported. A finer bucket of a single device stands for that device.
    SELECT c.user_key, d.device_key, c.bucket, d.first_ts, d.last_ts, d.heart_rate_sum, d.heart_rate_count,
           d.heart_rate_min, d.heart_rate_max, d.calories, d.steps
      FROM computed AS c
     CROSS JOIN LATERAL (
       SELECT d.device_key, min(d.first_ts) AS first_ts, max(d.last_ts) AS last_ts,
              sum(d.heart_rate_sum)::bigint AS heart_rate_sum, sum(d.heart_rate_count)::int AS heart_rate_count,
              min(d.heart_rate_min) AS heart_rate_min, max(d.heart_rate_max) AS heart_rate_max,
              sum(d.calories)::bigint AS calories, sum(d.steps)::bigint AS steps
         FROM (SELECT q.sole_device AS device_key, q.first_ts, q.last_ts, q.heart_rate_sum, q.heart_rate_count,
                      q.heart_rate_min, q.heart_rate_max, q.calories, q.steps
                 FROM rollup.user_%1$s AS q
                WHERE q.user_key = c.user_key AND q.bucket >= c.bucket AND q.bucket < c.bucket + %3$L::interval
                  AND q.sole_device IS NOT NULL
               UNION ALL
               SELECT q.device_key, q.first_ts, q.last_ts, q.heart_rate_sum, q.heart_rate_count, q.heart_rate_min,
                      q.heart_rate_max, q.calories, q.steps
                 FROM rollup.device_%1$s AS q
                WHERE q.user_key = c.user_key AND q.bucket >= c.bucket AND q.bucket < c.bucket + %3$L::interval) AS d
        GROUP BY d.device_key
       OFFSET 0) AS d
     WHERE c.first_ts IS NOT NULL AND c.sole_device IS NULL
  ), users_written AS (
    INSERT INTO rollup.user_%2$s AS t (user_key, bucket, first_ts, last_ts, heart_rate_sum, heart_rate_count,
                                       heart_rate_min, heart_rate_max, calories, steps, heart_rate_device, sole_device,
                                       worn_minutes, resting_heart_rate)
      SELECT * FROM computed WHERE first_ts IS NOT NULL ORDER BY user_key, bucket
    ON CONFLICT (user_key, bucket) DO UPDATE
      SET first_ts = excluded.first_ts, last_ts = excluded.last_ts, heart_rate_sum = excluded.heart_rate_sum,
          heart_rate_count = excluded.heart_rate_count, heart_rate_min = excluded.heart_rate_min,
          heart_rate_max = excluded.heart_rate_max, calories = excluded.calories, steps = excluded.steps,
          heart_rate_device = excluded.heart_rate_device, sole_device = excluded.sole_device,
          worn_minutes = excluded.worn_minutes, resting_heart_rate = excluded.resting_heart_rate
      WHERE t IS DISTINCT FROM excluded
  ), devices_written AS (
    INSERT INTO rollup.device_%2$s AS t (user_key, device_key, bucket, first_ts, last_ts, heart_rate_sum, heart_rate_count,
                                         heart_rate_min, heart_rate_max, calories, steps)
      SELECT * FROM by_device ORDER BY user_key, bucket, device_key
    ON CONFLICT (user_key, bucket, device_key) DO UPDATE
      SET first_ts = excluded.first_ts, last_ts = excluded.last_ts, heart_rate_sum = excluded.heart_rate_sum,
          heart_rate_count = excluded.heart_rate_count, heart_rate_min = excluded.heart_rate_min,
          heart_rate_max = excluded.heart_rate_max, calories = excluded.calories, steps = excluded.steps
      WHERE t IS DISTINCT FROM excluded
  ), gone AS (
    -- Grouped, since the planner does not know how much there is, and would join by nested loops.
    SELECT k.user_key, k.bucket, k.device_key
      FROM (SELECT c.user_key, c.bucket, 0 AS device_key, true AS is_kept FROM computed AS c WHERE c.first_ts IS NOT NULL
            UNION ALL
            SELECT b.user_key, b.bucket, b.device_key, true FROM by_device AS b
            UNION ALL
            SELECT k.user_key, k.bucket, k.device_key, false
              FROM computed AS c
             CROSS JOIN LATERAL (SELECT t.user_key, t.bucket, 0 AS device_key
                                   FROM rollup.user_%2$s AS t
                                  WHERE c.first_ts IS NULL AND t.user_key = c.user_key AND t.bucket = c.bucket
                                 UNION ALL
                                 SELECT t.user_key, t.bucket, t.device_key
                                   FROM rollup.device_%2$s AS t
                                  WHERE t.user_key = c.user_key AND t.bucket = c.bucket
                                 OFFSET 0) AS k) AS k
     GROUP BY 1, 2, 3
    HAVING NOT bool_or(k.is_kept)
  )
  SELECT array_agg(g.user_key) AS user_keys, array_agg(g.bucket) AS buckets, array_agg(g.device_key) AS device_keys INTO gone
    FROM gone AS g;

  -- Delete buckets that have lost their last reading, and rows of devices that no longer meet another.
  IF gone.user_keys IS NOT NULL THEN
    DELETE FROM rollup.user_%2$s AS t
     USING unnest(gone.user_keys, gone.buckets, gone.device_keys) AS g (user_key, bucket, device_key)
     WHERE g.device_key = 0 AND t.user_key = g.user_key AND t.bucket = g.bucket;
    DELETE FROM rollup.device_%2$s AS t
     USING unnest(gone.user_keys, gone.buckets, gone.device_keys) AS g (user_key, bucket, device_key)
     WHERE t.user_key = g.user_key AND t.bucket = g.bucket AND t.device_key = g.device_key;
  END IF;
END
$function$;

COMMENT ON FUNCTION api_internal.roll_up_%2$s IS
  'The part of api_internal.roll_up that adds up buckets of %2$s from those of %1$s, for users and buckets given as arrays of one length. Unchanged rows are not written.';
$format$, level.finer, level.coarser, level.width, level.resting);
  END LOOP;
END
$build$;
