-- Compares the rollups of samples with aggregates computed from samples.
CREATE FUNCTION api_internal.verify_samples(user_keys int[], range_start timestamptz, range_end timestamptz)
RETURNS TABLE (level text, user_key int, bucket timestamptz, problem text)
-- STABLE, so that rollups, marks and samples are read in one snapshot.
LANGUAGE plpgsql STABLE
SET work_mem = '64MB'
AS $$
#variable_conflict use_column
DECLARE
  asked record;
  -- Of these no rollup has a lowest, highest or last value from a user's first interval on, and answers need none.
  sums  CONSTANT int[] := ARRAY(SELECT m.metric_key FROM core.metric AS m WHERE m.kind = 'sum');
BEGIN
  SELECT array_agg(s.user_key) AS user_keys, array_agg(s.metric_key) AS metric_keys, array_agg(s.device_key) AS device_keys,
         array_agg(range_start) AS starts, array_agg(range_end) AS ends
    INTO asked
    FROM core.sample_series AS s
   WHERE s.user_key = ANY (user_keys);
  IF range_start >= range_end OR asked.user_keys IS NULL THEN
    RETURN;
  END IF;
  RETURN QUERY
    WITH levels (level, width) AS (
      VALUES ('15m', INTERVAL '15 minutes'), ('1h', INTERVAL '1 hour'), ('1d', INTERVAL '24 hours')
    ), quarters AS MATERIALIZED (
      SELECT *
        FROM api_internal.sample_buckets(asked.user_keys, asked.metric_keys, asked.device_keys, asked.starts, asked.ends, INTERVAL '15 minutes')
    ), computed AS (
      -- Of the user: what counts.
      SELECT l.level, q.user_key, q.metric_key, 0 AS device_key, public.time_bucket(l.width, q.bucket) AS bucket, min(q.first_ts) AS first_ts,
             max(q.last_ts) AS last_ts, min(q.lowest) FILTER (WHERE q.metric_key <> ALL (sums)) AS lowest,
             max(q.highest) FILTER (WHERE q.metric_key <> ALL (sums)) AS highest,
             public.last(q.last_value, q.last_ts) FILTER (WHERE q.metric_key <> ALL (sums)) AS last_value, sum(q.samples)::bigint AS samples, sum(q.total) AS total,
             CASE WHEN count(q.best_device) = count(*) AND min(q.best_device) = max(q.best_device) THEN min(q.best_device) END AS best_device
        FROM quarters AS q
       CROSS JOIN levels AS l
       WHERE q.device_key IS NULL
       GROUP BY 1, 2, 3, 5
      UNION ALL
      -- Of each device: everything.
      SELECT l.level, q.user_key, q.metric_key, coalesce(q.device_key, q.sole_device), public.time_bucket(l.width, q.bucket), min(q.first_ts),
             max(q.last_ts), min(q.lowest) FILTER (WHERE q.metric_key <> ALL (sums)), max(q.highest) FILTER (WHERE q.metric_key <> ALL (sums)),
             public.last(q.last_value, q.last_ts) FILTER (WHERE q.metric_key <> ALL (sums)), sum(q.samples)::bigint, sum(q.total), NULL
        FROM quarters AS q
       CROSS JOIN levels AS l
       WHERE coalesce(q.device_key, q.sole_device) IS NOT NULL
       GROUP BY 1, 2, 3, 4, 5
    ), kept AS (
      SELECT '15m' AS level, r.* FROM rollup.sample_15m AS r
       WHERE r.user_key = ANY (user_keys) AND r.bucket >= range_start AND r.bucket < range_end
      UNION ALL
      SELECT '1h', r.* FROM rollup.sample_1h AS r
       WHERE r.user_key = ANY (user_keys) AND r.bucket >= range_start AND r.bucket < range_end
      UNION ALL
      SELECT '1d', r.* FROM rollup.sample_1d AS r
       WHERE r.user_key = ANY (user_keys) AND r.bucket >= range_start AND r.bucket < range_end
    ), kept_devices AS (
      SELECT '15m' AS level, r.* FROM rollup.sample_device_15m AS r
       WHERE r.user_key = ANY (user_keys) AND r.bucket >= range_start AND r.bucket < range_end
      UNION ALL
      SELECT '1h', r.* FROM rollup.sample_device_1h AS r
       WHERE r.user_key = ANY (user_keys) AND r.bucket >= range_start AND r.bucket < range_end
      UNION ALL
      SELECT '1d', r.* FROM rollup.sample_device_1d AS r
       WHERE r.user_key = ANY (user_keys) AND r.bucket >= range_start AND r.bucket < range_end
    ), found AS (
      SELECT k.level, k.user_key, k.metric_key, 0 AS device_key, k.bucket, k.first_ts, k.last_ts,
             v.lowest, v.highest, v.last_value, k.samples::bigint AS samples, k.total, k.best_device
        FROM kept AS k
        LEFT JOIN LATERAL (SELECT k.lowest, k.highest, k.last_value WHERE k.metric_key <> ALL (sums)) AS v ON true
      UNION ALL
      SELECT k.level, k.user_key, k.metric_key, k.sole_device, k.bucket, k.first_ts, k.last_ts, v.lowest, v.highest, v.last_value,
             k.samples, k.total, NULL
        FROM kept AS k
        LEFT JOIN LATERAL (SELECT k.lowest, k.highest, k.last_value WHERE k.metric_key <> ALL (sums)) AS v ON true
       WHERE k.sole_device IS NOT NULL
      UNION ALL
      SELECT k.level, k.user_key, k.metric_key, k.device_key, k.bucket, k.first_ts, k.last_ts, v.lowest, v.highest, v.last_value,
             k.samples, k.total, NULL
        FROM kept_devices AS k
        LEFT JOIN LATERAL (SELECT k.lowest, k.highest, k.last_value WHERE k.metric_key <> ALL (sums)) AS v ON true
    )
    SELECT 'samples ' || l.level || CASE WHEN coalesce(c.device_key, k.device_key) = 0 THEN '' ELSE ' by device' END,
           coalesce(c.user_key, k.user_key), coalesce(c.bucket, k.bucket),
           CASE WHEN k.bucket IS NULL THEN 'missing from the rollup'
                WHEN c.bucket IS NULL THEN 'in the rollup without a sample'
                WHEN (c.*) IS DISTINCT FROM (k.*) THEN 'differs from the samples' END
      FROM computed AS c
      FULL JOIN found AS k USING (level, user_key, metric_key, device_key, bucket)
      JOIN levels AS l ON l.level = coalesce(c.level, k.level)
     WHERE NOT EXISTS (SELECT
                         FROM core.stale_day AS x
                        WHERE x.user_key = coalesce(c.user_key, k.user_key)
                          AND x.day = public.time_bucket(INTERVAL '24 hours', coalesce(c.bucket, k.bucket))
                          AND x.sample_quarters
                              & api_internal.quarter_bits(x.day, coalesce(c.bucket, k.bucket), coalesce(c.bucket, k.bucket) + l.width)
                              <> B'0'::bit(96));
END
$$;

COMMENT ON FUNCTION api_internal.verify_samples IS
  'The part of api.verify that compares the rollups of the samples of users, over whole materialized days: one row per compared bucket of a metric that is not stale; problem is null where the two agree.';
