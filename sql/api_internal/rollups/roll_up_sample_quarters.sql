-- Quarters of an hour of samples.
CREATE FUNCTION api_internal.roll_up_sample_quarters(day timestamptz, user_keys int[], quarters bit(96)[]) RETURNS void
LANGUAGE plpgsql
SET work_mem = '64MB'
-- The planner cannot know how much of a day is marked, and would sort, or scan the rows of all users.
SET enable_sort = off
SET enable_mergejoin = off
AS $$
DECLARE
  asked record;
  gone  record;
BEGIN
  SELECT array_agg(s.user_key) AS user_keys, array_agg(s.metric_key) AS metric_keys, array_agg(s.device_key) AS device_keys,
         array_agg(lower(r.run)) AS starts, array_agg(upper(r.run)) AS ends
    INTO asked
    FROM unnest(user_keys, quarters) AS m (user_key, quarters)
   CROSS JOIN LATERAL unnest(api_internal.quarter_ranges(day, m.quarters)) AS r (run)
   -- One index lookup for each user, which OFFSET enforces.
   CROSS JOIN LATERAL (SELECT s.* FROM core.sample_series AS s WHERE s.user_key = m.user_key OFFSET 0) AS s;
  IF asked.user_keys IS NULL THEN
    RETURN;
  END IF;

  WITH found AS MATERIALIZED (
    SELECT *
      FROM api_internal.sample_buckets(asked.user_keys, asked.metric_keys, asked.device_keys, asked.starts, asked.ends, INTERVAL '15 minutes')
  ), users_written AS (
    INSERT INTO rollup.sample_15m AS t (user_key, metric_key, bucket, first_ts, last_ts, lowest, highest, last_value, samples, total,
                                        best_device, sole_device)
      SELECT f.user_key, f.metric_key, f.bucket, f.first_ts, f.last_ts, f.lowest, f.highest, f.last_value, f.samples, f.total,
             f.best_device, f.sole_device
        FROM found AS f
       WHERE f.device_key IS NULL
       ORDER BY f.user_key, f.metric_key, f.bucket
    ON CONFLICT (user_key, metric_key, bucket) DO UPDATE
      SET first_ts = excluded.first_ts, last_ts = excluded.last_ts, lowest = excluded.lowest, highest = excluded.highest,
          last_value = excluded.last_value, samples = excluded.samples, total = excluded.total, best_device = excluded.best_device,
          sole_device = excluded.sole_device
      WHERE t IS DISTINCT FROM excluded
  ), devices_written AS (
    INSERT INTO rollup.sample_device_15m AS t (user_key, metric_key, device_key, bucket, first_ts, last_ts, lowest, highest, last_value,
                                               samples, total)
      SELECT f.user_key, f.metric_key, f.device_key, f.bucket, f.first_ts, f.last_ts, f.lowest, f.highest, f.last_value, f.samples, f.total
        FROM found AS f
       WHERE f.device_key IS NOT NULL
       ORDER BY f.user_key, f.metric_key, f.bucket, f.device_key
    ON CONFLICT (user_key, metric_key, bucket, device_key) DO UPDATE
      SET first_ts = excluded.first_ts, last_ts = excluded.last_ts, lowest = excluded.lowest, highest = excluded.highest,
          last_value = excluded.last_value, samples = excluded.samples, total = excluded.total
      WHERE t IS DISTINCT FROM excluded
  ), runs AS MATERIALIZED (
    SELECT DISTINCT a.*
      FROM unnest(asked.user_keys, asked.metric_keys, asked.starts, asked.ends) AS a (user_key, metric_key, range_start, range_end)
  ), gone AS MATERIALIZED (
    SELECT k.user_key, k.metric_key, k.bucket, 0 AS device_key
      FROM runs AS x
     CROSS JOIN LATERAL (SELECT t.user_key, t.metric_key, t.bucket
                           FROM rollup.sample_15m AS t
                          WHERE t.user_key = x.user_key AND t.metric_key = x.metric_key AND t.bucket >= x.range_start AND t.bucket < x.range_end
                         OFFSET 0) AS k
     WHERE NOT EXISTS (SELECT FROM found AS f WHERE f.user_key = k.user_key AND f.metric_key = k.metric_key AND f.bucket = k.bucket)
    UNION ALL
    SELECT k.user_key, k.metric_key, k.bucket, k.device_key
      FROM runs AS x
     CROSS JOIN LATERAL (SELECT t.user_key, t.metric_key, t.bucket, t.device_key
                           FROM rollup.sample_device_15m AS t
                          WHERE t.user_key = x.user_key AND t.metric_key = x.metric_key AND t.bucket >= x.range_start AND t.bucket < x.range_end
                         OFFSET 0) AS k
     WHERE NOT EXISTS (SELECT FROM found AS f
                        WHERE f.user_key = k.user_key AND f.metric_key = k.metric_key AND f.bucket = k.bucket AND f.device_key = k.device_key)
  )
  SELECT array_agg(g.user_key) AS user_keys, array_agg(g.metric_key) AS metric_keys, array_agg(g.bucket) AS buckets,
         array_agg(g.device_key) AS device_keys
    INTO gone
    FROM gone AS g;

  -- Delete quarters that have lost their last sample, and rows of devices that no longer meet another.
  IF gone.user_keys IS NOT NULL THEN
    DELETE FROM rollup.sample_15m AS t
     USING unnest(gone.user_keys, gone.metric_keys, gone.buckets, gone.device_keys) AS g (user_key, metric_key, bucket, device_key)
     WHERE g.device_key = 0 AND t.user_key = g.user_key AND t.metric_key = g.metric_key AND t.bucket = g.bucket;
    DELETE FROM rollup.sample_device_15m AS t
     USING unnest(gone.user_keys, gone.metric_keys, gone.buckets, gone.device_keys) AS g (user_key, metric_key, bucket, device_key)
     WHERE t.user_key = g.user_key AND t.metric_key = g.metric_key AND t.bucket = g.bucket AND t.device_key = g.device_key;
  END IF;
END
$$;

COMMENT ON FUNCTION api_internal.roll_up_sample_quarters IS
  'The part of api_internal.roll_up_samples that reads samples and writes rollup.sample_15m and rollup.sample_device_15m. Unchanged rows are not written.';
