-- Compares rollups with aggregates computed from raw readings and samples.
CREATE FUNCTION api.verify(range_start timestamptz, range_end timestamptz, users int DEFAULT NULL)
RETURNS TABLE (level text, tenant_id text, user_id text, bucket timestamptz, problem text)
-- STABLE, so that rollups, marks and raw readings are read in one snapshot.
LANGUAGE sql STABLE AS $$
  WITH days AS (
    -- Whole materialized days whose raw readings are kept.
    SELECT public.time_bucket(INTERVAL '24 hours', greatest(range_start, h.raw_from)) AS first_day,
           public.time_bucket(INTERVAL '24 hours', least(range_end, h.materialized)) AS after_last
      FROM core.horizon AS h
  ), sample AS MATERIALIZED (
    SELECT u.user_key, u.user_id, t.tenant_id
      FROM core.app_user AS u
      JOIN core.tenant AS t USING (tenant_key)
     ORDER BY CASE WHEN users IS NOT NULL THEN random() END
     LIMIT users
  ), levels AS (
    SELECT * FROM (VALUES ('15m', INTERVAL '15 minutes'), ('1h', INTERVAL '1 hour'), ('4h', INTERVAL '4 hours'), ('1d', INTERVAL '24 hours')) AS l (level, width)
  ), quarters AS (
    SELECT s.user_key, public.time_bucket(INTERVAL '15 minutes', m.bucket) AS bucket,
           min(m.first_ts) AS first_ts, max(m.last_ts) AS last_ts, sum(m.heart_rate_sum)::bigint AS heart_rate_sum,
           sum(m.heart_rate_count)::bigint AS heart_rate_count, min(m.heart_rate_min) AS heart_rate_min,
           max(m.heart_rate_max) AS heart_rate_max, sum(m.calories)::bigint AS calories, sum(m.steps)::bigint AS steps,
           count(*) FILTER (WHERE m.heart_rate_count > 0) AS worn_minutes
      FROM sample AS s
     CROSS JOIN days AS d
     CROSS JOIN LATERAL api_internal.minutes(s.user_key, tstzmultirange(tstzrange(d.first_day, greatest(d.first_day, d.after_last)))) AS m
     GROUP BY 1, 2
  ), computed AS (
    SELECT l.level, q.user_key, NULL::int AS device_key, public.time_bucket(l.width, q.bucket) AS bucket,
           min(q.first_ts) AS first_ts, max(q.last_ts) AS last_ts, sum(q.heart_rate_sum)::bigint AS heart_rate_sum,
           sum(q.heart_rate_count)::bigint AS heart_rate_count, min(q.heart_rate_min) AS heart_rate_min,
           max(q.heart_rate_max) AS heart_rate_max, sum(q.calories)::bigint AS calories, sum(q.steps)::bigint AS steps,
           sum(q.worn_minutes)::bigint AS worn_minutes,
           CASE WHEN l.level <> '15m' THEN
             min(q.heart_rate_sum / (q.heart_rate_count * 1e6::double precision)) FILTER (WHERE q.worn_minutes >= 3)
           END AS resting_heart_rate
      FROM quarters AS q
     CROSS JOIN levels AS l
     GROUP BY 1, 2, 4
    UNION ALL
    SELECT l.level, s.user_key, r.device_key, public.time_bucket(l.width, r.bucket),
           min(r.first_ts), max(r.last_ts), sum(r.heart_rate_sum)::bigint, sum(r.heart_rate_count)::bigint,
           min(r.heart_rate_min), max(r.heart_rate_max), sum(r.calories)::bigint, sum(r.steps)::bigint, NULL, NULL
      FROM sample AS s
     CROSS JOIN days AS d
     CROSS JOIN LATERAL api_internal.raw_readings(s.user_key, tstzmultirange(tstzrange(d.first_day, greatest(d.first_day, d.after_last)))) AS r
     CROSS JOIN levels AS l
     WHERE NOT api_internal.has_intervals(s.user_key)
     GROUP BY 1, 2, 3, 4
    UNION ALL
    SELECT l.level, v.user_key, v.device_key, public.time_bucket(l.width, m.bucket),
           min(m.first_ts), max(m.last_ts), sum(m.heart_rate_sum)::bigint, sum(m.heart_rate_count)::bigint,
           min(m.heart_rate_min), max(m.heart_rate_max), sum(m.calories)::bigint, sum(m.steps)::bigint, NULL, NULL
      FROM (SELECT s.user_key, r.device_key, tstzmultirange(tstzrange(d.first_day, d.after_last)) AS ranges
              FROM sample AS s
             CROSS JOIN days AS d
             CROSS JOIN LATERAL (
               SELECT r.device_key FROM api_internal.device_minutes(s.user_key, tstzmultirange(tstzrange(d.first_day, d.after_last))) AS r
               UNION
               SELECT i.device_key FROM core.interval_series AS i WHERE i.user_key = s.user_key AND i.kind = 0 AND i.metric_key < 4) AS r
             WHERE d.first_day < d.after_last AND api_internal.has_intervals(s.user_key)) AS v
     CROSS JOIN LATERAL api_internal.minutes(v.user_key, v.ranges, v.device_key, true) AS m
     CROSS JOIN levels AS l
     GROUP BY 1, 2, 3, 4
  ), kept AS (
    SELECT '15m' AS level, r.*, NULL::double precision AS resting_heart_rate FROM rollup.user_15m AS r, days AS d WHERE r.bucket >= d.first_day AND r.bucket < d.after_last
    UNION ALL
    SELECT '1h', r.* FROM rollup.user_1h AS r, days AS d WHERE r.bucket >= d.first_day AND r.bucket < d.after_last
    UNION ALL
    SELECT '4h', r.* FROM rollup.user_4h AS r, days AS d WHERE r.bucket >= d.first_day AND r.bucket < d.after_last
    UNION ALL
    SELECT '1d', r.* FROM rollup.user_1d AS r, days AS d WHERE r.bucket >= d.first_day AND r.bucket < d.after_last
  ), kept_devices AS (
    SELECT '15m' AS level, r.* FROM rollup.device_15m AS r, days AS d WHERE r.bucket >= d.first_day AND r.bucket < d.after_last
    UNION ALL
    SELECT '1h', r.* FROM rollup.device_1h AS r, days AS d WHERE r.bucket >= d.first_day AND r.bucket < d.after_last
    UNION ALL
    SELECT '4h', r.* FROM rollup.device_4h AS r, days AS d WHERE r.bucket >= d.first_day AND r.bucket < d.after_last
    UNION ALL
    SELECT '1d', r.* FROM rollup.device_1d AS r, days AS d WHERE r.bucket >= d.first_day AND r.bucket < d.after_last
  ), found AS (
    SELECT k.level, k.user_key, NULL::int AS device_key, k.bucket, k.first_ts, k.last_ts, k.heart_rate_sum,
           k.heart_rate_count::bigint AS heart_rate_count, k.heart_rate_min, k.heart_rate_max, k.calories, k.steps,
           k.worn_minutes::bigint AS worn_minutes, k.resting_heart_rate
      FROM kept AS k
      JOIN sample USING (user_key)
    UNION ALL
    SELECT k.level, k.user_key, k.sole_device, k.bucket, k.first_ts, k.last_ts, k.heart_rate_sum,
           k.heart_rate_count::bigint, k.heart_rate_min, k.heart_rate_max, k.calories, k.steps, NULL, NULL
      FROM kept AS k
      JOIN sample USING (user_key)
     WHERE k.sole_device IS NOT NULL
    UNION ALL
    SELECT k.level, k.user_key, k.device_key, k.bucket, k.first_ts, k.last_ts, k.heart_rate_sum,
           k.heart_rate_count::bigint, k.heart_rate_min, k.heart_rate_max, k.calories, k.steps, NULL, NULL
      FROM kept_devices AS k
      JOIN sample USING (user_key)
  )
  SELECT l.level || CASE WHEN coalesce(c.device_key, k.device_key) IS NULL THEN '' ELSE ' by device' END,
         s.tenant_id, s.user_id, coalesce(c.bucket, k.bucket),
         CASE WHEN k.bucket IS NULL THEN 'missing from the rollup'
              WHEN c.bucket IS NULL THEN 'in the rollup without a reading'
              WHEN (c.*) IS DISTINCT FROM (k.*) THEN 'differs from the readings' END
    FROM computed AS c
    FULL JOIN found AS k
           ON k.level = c.level AND k.user_key = c.user_key AND k.bucket = c.bucket
          AND coalesce(k.device_key, 0) = coalesce(c.device_key, 0)
    JOIN sample AS s ON s.user_key = coalesce(c.user_key, k.user_key)
    JOIN levels AS l ON l.level = coalesce(c.level, k.level)
   WHERE NOT EXISTS (SELECT
                       FROM api_internal.wide_marks AS x
                      WHERE x.user_key = s.user_key
                        AND x.day = public.time_bucket(INTERVAL '24 hours', coalesce(c.bucket, k.bucket))
                        AND x.quarters & api_internal.quarter_bits(x.day, coalesce(c.bucket, k.bucket), coalesce(c.bucket, k.bucket) + l.width)
                            <> B'0'::bit(96))
  UNION ALL
  SELECT v.level, s.tenant_id, s.user_id, v.bucket, v.problem
    FROM days AS d
   CROSS JOIN LATERAL api_internal.verify_samples(ARRAY(SELECT s.user_key FROM sample AS s), d.first_day, d.after_last) AS v
    JOIN sample AS s USING (user_key)
$$;

COMMENT ON FUNCTION api.verify IS
  'Compares the rollups of users and of devices with aggregates computed from raw readings, and those of samples with samples, over the whole materialized days of a range, for a random sample of users or for all of them: one row per compared bucket that is not stale; problem is null where the two agree, which must hold everywhere.';
