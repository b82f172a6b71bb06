-- Compares rollups with what raw readings come to.
CREATE FUNCTION api.verify(range_start timestamptz, range_end timestamptz, users int DEFAULT NULL)
RETURNS TABLE (level text, tenant_id text, user_id text, bucket timestamptz, problem text)
-- STABLE: rollups, stale days and raw readings are then read in one snapshot.
LANGUAGE sql STABLE AS $$
  WITH days AS (
    -- Whole days that are materialized.
    SELECT public.time_bucket(INTERVAL '24 hours', range_start) AS first_day,
           public.time_bucket(INTERVAL '24 hours', least(range_end, h.materialized)) AS after_last
      FROM core.horizon AS h
  ), sample AS (
    SELECT u.user_key, u.user_id, t.tenant_id
      FROM core.app_user AS u
      JOIN core.tenant AS t USING (tenant_key)
     ORDER BY CASE WHEN users IS NOT NULL THEN random() END
     LIMIT users
  ), minutes AS (
    SELECT s.user_key, m.*
      FROM sample AS s, days AS d,
             api.minutes(s.user_key, tstzmultirange(tstzrange(d.first_day, greatest(d.first_day, d.after_last)))) AS m
  ), computed AS (
    SELECT l.level, m.user_key, public.time_bucket(l.width, m.bucket) AS bucket,
           min(m.first_ts) AS first_ts, max(m.last_ts) AS last_ts, sum(m.heart_rate_sum)::bigint AS heart_rate_sum,
           sum(m.heart_rate_count)::bigint AS heart_rate_count, min(m.heart_rate_min) AS heart_rate_min,
           max(m.heart_rate_max) AS heart_rate_max, sum(m.calories)::bigint AS calories, sum(m.steps)::bigint AS steps
      FROM minutes AS m
     CROSS JOIN (VALUES ('1m', INTERVAL '1 minute'), ('15m', INTERVAL '15 minutes'),
                        ('1h', INTERVAL '1 hour'), ('1d', INTERVAL '24 hours')) AS l (level, width)
     GROUP BY 1, 2, 3
  ), kept AS (
    SELECT '1m' AS level, user_key, bucket, first_ts, last_ts, heart_rate_sum, heart_rate_count, heart_rate_min,
           heart_rate_max, calories, steps
      FROM rollup.user_1m, days WHERE bucket >= first_day AND bucket < after_last
    UNION ALL
    SELECT '15m', user_key, bucket, first_ts, last_ts, heart_rate_sum, heart_rate_count, heart_rate_min,
           heart_rate_max, calories, steps
      FROM rollup.user_15m, days WHERE bucket >= first_day AND bucket < after_last
    UNION ALL
    SELECT '1h', user_key, bucket, first_ts, last_ts, heart_rate_sum, heart_rate_count, heart_rate_min,
           heart_rate_max, calories, steps
      FROM rollup.user_1h, days WHERE bucket >= first_day AND bucket < after_last
    UNION ALL
    SELECT '1d', user_key, bucket, first_ts, last_ts, heart_rate_sum, heart_rate_count, heart_rate_min,
           heart_rate_max, calories, steps
      FROM rollup.user_1d, days WHERE bucket >= first_day AND bucket < after_last
  )
  SELECT coalesce(c.level, k.level), s.tenant_id, s.user_id, coalesce(c.bucket, k.bucket),
         CASE WHEN k.bucket IS NULL THEN 'missing from the rollup'
              WHEN c.bucket IS NULL THEN 'in the rollup without a reading'
              WHEN (c.*) IS DISTINCT FROM (k.*) THEN 'differs from the readings' END
    FROM computed AS c
    FULL JOIN (SELECT kept.* FROM kept JOIN sample USING (user_key)) AS k
           ON k.level = c.level AND k.user_key = c.user_key AND k.bucket = c.bucket
    JOIN sample AS s ON s.user_key = coalesce(c.user_key, k.user_key)
   WHERE NOT EXISTS (SELECT FROM core.stale_day AS x
                      WHERE x.user_key = s.user_key
                        AND x.day = public.time_bucket(INTERVAL '24 hours', coalesce(c.bucket, k.bucket)))
     -- What raw retention has dropped cannot be compared.
     AND coalesce(c.bucket, k.bucket)
         >= coalesce((SELECT min(i.range_start) FROM timescaledb_information.chunks AS i
                       WHERE i.hypertable_schema = 'core' AND i.hypertable_name = 'reading'), '-infinity')
$$;

COMMENT ON FUNCTION api.verify IS
  'Compares every rollup with what raw readings come to, for whole materialized days of a range, and for so many users drawn at random, or all: one row per bucket compared; problem is null where they agree, which must be everywhere.';
