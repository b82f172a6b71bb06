-- Quarters of an hour of users who have intervals.
CREATE FUNCTION api_internal.roll_up_cells(day timestamptz, user_keys int[], quarters bit(96)[]) RETURNS void
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan
SET work_mem = '64MB'
AS $$
DECLARE
  gone record;
BEGIN
  WITH marked AS MATERIALIZED (
    SELECT m.user_key, r.ranges, api_internal.whole_hours(r.ranges) AS hours
      FROM unnest(user_keys, quarters) AS m (user_key, quarters)
     CROSS JOIN LATERAL api_internal.quarter_ranges(roll_up_cells.day, m.quarters) AS r (ranges)
     WHERE r.ranges IS NOT NULL
  ), devices AS MATERIALIZED (
    -- Which devices measured something in an hour. Where there is one, the row of the user is also that of the device; where there are
    -- several, each quarter may depend on all of them. A device that was only worn covers nothing.
    SELECT m.user_key, public.time_bucket(INTERVAL '1 hour', r.bucket) AS hour, r.device_key
      FROM marked AS m
     CROSS JOIN LATERAL api_internal.device_minutes(m.user_key, m.hours) AS r
    UNION
    SELECT m.user_key, h.hour, i.device_key
      FROM marked AS m
     CROSS JOIN LATERAL api_internal.overlapping_intervals(m.user_key, '{2,3}', m.hours) AS i
     CROSS JOIN LATERAL generate_series(public.time_bucket(INTERVAL '1 hour', i.ts), i.ends_at - INTERVAL '1 microsecond',
                                        INTERVAL '1 hour') AS h (hour)
     WHERE h.hour <@ m.hours
  ), hours AS MATERIALIZED (
    SELECT d.user_key, d.hour, CASE WHEN count(*) = 1 THEN min(d.device_key) END AS sole_device
      FROM devices AS d
     GROUP BY 1, 2
  ), computed AS MATERIALIZED (
    SELECT m.user_key, public.time_bucket(INTERVAL '15 minutes', r.bucket) AS bucket, min(r.first_ts) AS first_ts,
           max(r.last_ts) AS last_ts, sum(r.heart_rate_sum)::bigint AS heart_rate_sum, sum(r.heart_rate_count)::int AS heart_rate_count,
           min(r.heart_rate_min) AS heart_rate_min, max(r.heart_rate_max) AS heart_rate_max, sum(r.calories)::bigint AS calories,
           sum(r.steps)::bigint AS steps,
           CASE WHEN min(r.heart_rate_device) = max(r.heart_rate_device) THEN min(r.heart_rate_device)
                WHEN min(r.heart_rate_device) IS NOT NULL THEN 0 END AS heart_rate_device,
           count(*) FILTER (WHERE r.heart_rate_count > 0) AS worn_minutes
      FROM marked AS m
     CROSS JOIN LATERAL api_internal.minutes(m.user_key, m.ranges, NULL, true) AS r
     GROUP BY 1, 2
  ), by_device AS MATERIALIZED (
    SELECT d.user_key, d.device_key, public.time_bucket(INTERVAL '15 minutes', r.bucket) AS bucket, min(r.first_ts) AS first_ts,
           max(r.last_ts) AS last_ts, sum(r.heart_rate_sum)::bigint AS heart_rate_sum, sum(r.heart_rate_count)::int AS heart_rate_count,
           min(r.heart_rate_min) AS heart_rate_min, max(r.heart_rate_max) AS heart_rate_max, sum(r.calories)::bigint AS calories,
           sum(r.steps)::bigint AS steps
      FROM (SELECT d.user_key, d.device_key, range_agg(tstzrange(d.hour, d.hour + INTERVAL '1 hour')) * m.ranges AS ranges
              FROM devices AS d
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
             c.calories, c.steps, c.heart_rate_device, h.sole_device, c.worn_minutes
        FROM computed AS c
        JOIN hours AS h ON h.user_key = c.user_key AND h.hour = public.time_bucket(INTERVAL '1 hour', c.bucket)
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
  'The part of api_internal.roll_up that writes rollup.user_15m and rollup.device_15m for users with intervals, from api_internal.minutes. sole_device is that of the hour, and null where several devices have readings or intervals in the hour. Unchanged rows are not written.';
