-- Hours of samples from quarters of an hour, days from hours: one function for each level, so that a session plans each of them once.
DO $build$
DECLARE
  level record;
BEGIN
  FOR level IN
    SELECT *
      FROM (VALUES ('15m', '1h', INTERVAL '1 hour'), ('1h', '1d', INTERVAL '24 hours')) AS l (finer, coarser, width)
  LOOP
    EXECUTE format($format$
CREATE FUNCTION api_internal.roll_up_samples_%2$s(user_keys int[], starts timestamptz[], ends timestamptz[]) RETURNS void
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan
SET work_mem = '64MB'
AS $function$
DECLARE
  gone record;
BEGIN
  WITH runs AS MATERIALIZED (
    SELECT t.user_key, s.metric_key, t.range_start, t.range_end
      FROM unnest(user_keys, starts, ends) AS t (user_key, range_start, range_end)
     CROSS JOIN LATERAL (SELECT s.metric_key FROM core.sample_series AS s WHERE s.user_key = t.user_key GROUP BY 1 OFFSET 0) AS s
  ), computed AS MATERIALIZED (
    -- One index lookup for each metric and run of buckets, also in a cached plan that misjudges the size of the rollups.
    SELECT t.*, q.*
      FROM runs AS t
     CROSS JOIN LATERAL (
       SELECT public.time_bucket(%3$L::interval, q.bucket) AS bucket, min(q.first_ts) AS first_ts, max(q.last_ts) AS last_ts,
              min(q.lowest) AS lowest, max(q.highest) AS highest, public.last(q.last_value, q.last_ts) AS last_value,
              sum(q.samples)::int AS samples, sum(q.total) AS total,
              CASE WHEN count(q.best_device) = count(*) AND min(q.best_device) = max(q.best_device) THEN min(q.best_device) END AS best_device,
              CASE WHEN count(q.sole_device) = count(*) AND min(q.sole_device) = max(q.sole_device) THEN min(q.sole_device) END AS sole_device
         FROM rollup.sample_%1$s AS q
        WHERE q.user_key = t.user_key AND q.metric_key = t.metric_key AND q.bucket >= t.range_start AND q.bucket < t.range_end
        GROUP BY 1
       OFFSET 0) AS q
  ), by_device AS MATERIALIZED (
    -- Where several devices measured. A finer bucket of a single device stands for that device.
    SELECT m.user_key, m.metric_key, d.device_key, d.bucket, d.first_ts, d.last_ts, d.lowest, d.highest, d.last_value, d.samples, d.total
      FROM (SELECT c.user_key, c.metric_key, c.range_start, c.range_end, array_agg(c.bucket) AS buckets
              FROM computed AS c
             WHERE c.sole_device IS NULL
             GROUP BY 1, 2, 3, 4) AS m
     CROSS JOIN LATERAL (
       SELECT d.device_key, public.time_bucket(%3$L::interval, d.bucket) AS bucket, min(d.first_ts) AS first_ts, max(d.last_ts) AS last_ts,
              min(d.lowest) AS lowest, max(d.highest) AS highest, public.last(d.last_value, d.last_ts) AS last_value,
              sum(d.samples)::int AS samples, sum(d.total) AS total
         FROM (SELECT q.bucket, q.sole_device AS device_key, q.first_ts, q.last_ts, q.lowest, q.highest, q.last_value, q.samples, q.total
                 FROM rollup.sample_%1$s AS q
                WHERE q.user_key = m.user_key AND q.metric_key = m.metric_key AND q.bucket >= m.range_start AND q.bucket < m.range_end
                  AND q.sole_device IS NOT NULL
               UNION ALL
               SELECT q.bucket, q.device_key, q.first_ts, q.last_ts, q.lowest, q.highest, q.last_value, q.samples, q.total
                 FROM rollup.sample_device_%1$s AS q
                WHERE q.user_key = m.user_key AND q.metric_key = m.metric_key AND q.bucket >= m.range_start AND q.bucket < m.range_end) AS d
        GROUP BY 1, 2
       OFFSET 0) AS d
     WHERE d.bucket = ANY (m.buckets)
  ), users_written AS (
    INSERT INTO rollup.sample_%2$s AS t (user_key, metric_key, bucket, first_ts, last_ts, lowest, highest, last_value, samples, total,
                                         best_device, sole_device)
      SELECT c.user_key, c.metric_key, c.bucket, c.first_ts, c.last_ts, c.lowest, c.highest, c.last_value, c.samples, c.total, c.best_device,
             c.sole_device
        FROM computed AS c
       ORDER BY c.user_key, c.metric_key, c.bucket
    ON CONFLICT (user_key, metric_key, bucket) DO UPDATE
      SET first_ts = excluded.first_ts, last_ts = excluded.last_ts, lowest = excluded.lowest, highest = excluded.highest,
          last_value = excluded.last_value, samples = excluded.samples, total = excluded.total, best_device = excluded.best_device,
          sole_device = excluded.sole_device
      WHERE t IS DISTINCT FROM excluded
  ), devices_written AS (
    INSERT INTO rollup.sample_device_%2$s AS t (user_key, metric_key, device_key, bucket, first_ts, last_ts, lowest, highest, last_value,
                                                samples, total)
      SELECT * FROM by_device ORDER BY user_key, metric_key, bucket, device_key
    ON CONFLICT (user_key, metric_key, bucket, device_key) DO UPDATE
      SET first_ts = excluded.first_ts, last_ts = excluded.last_ts, lowest = excluded.lowest, highest = excluded.highest,
          last_value = excluded.last_value, samples = excluded.samples, total = excluded.total
      WHERE t IS DISTINCT FROM excluded
  ), gone AS (
    -- Grouped, since the planner does not know how much there is, and would join by nested loops.
    SELECT k.user_key, k.metric_key, k.bucket, k.device_key
      FROM (SELECT c.user_key, c.metric_key, c.bucket, 0 AS device_key, true AS is_kept FROM computed AS c
            UNION ALL
            SELECT b.user_key, b.metric_key, b.bucket, b.device_key, true FROM by_device AS b
            UNION ALL
            SELECT k.user_key, k.metric_key, k.bucket, k.device_key, false
              FROM runs AS x
             CROSS JOIN LATERAL (SELECT t.user_key, t.metric_key, t.bucket, 0 AS device_key
                                   FROM rollup.sample_%2$s AS t
                                  WHERE t.user_key = x.user_key AND t.metric_key = x.metric_key AND t.bucket >= x.range_start AND t.bucket < x.range_end
                                 UNION ALL
                                 SELECT t.user_key, t.metric_key, t.bucket, t.device_key
                                   FROM rollup.sample_device_%2$s AS t
                                  WHERE t.user_key = x.user_key AND t.metric_key = x.metric_key AND t.bucket >= x.range_start AND t.bucket < x.range_end
                                 OFFSET 0) AS k) AS k
     GROUP BY 1, 2, 3, 4
    HAVING NOT bool_or(k.is_kept)
  )
  SELECT array_agg(g.user_key) AS user_keys, array_agg(g.metric_key) AS metric_keys, array_agg(g.bucket) AS buckets,
         array_agg(g.device_key) AS device_keys
    INTO gone
    FROM gone AS g;

  -- Delete buckets that have lost their last sample, and rows of devices that no longer meet another.
  IF gone.user_keys IS NOT NULL THEN
    DELETE FROM rollup.sample_%2$s AS t
     USING unnest(gone.user_keys, gone.metric_keys, gone.buckets, gone.device_keys) AS g (user_key, metric_key, bucket, device_key)
     WHERE g.device_key = 0 AND t.user_key = g.user_key AND t.metric_key = g.metric_key AND t.bucket = g.bucket;
    DELETE FROM rollup.sample_device_%2$s AS t
     USING unnest(gone.user_keys, gone.metric_keys, gone.buckets, gone.device_keys) AS g (user_key, metric_key, bucket, device_key)
     WHERE t.user_key = g.user_key AND t.metric_key = g.metric_key AND t.bucket = g.bucket AND t.device_key = g.device_key;
  END IF;
END
$function$;

COMMENT ON FUNCTION api_internal.roll_up_samples_%2$s IS
  'The part of api_internal.roll_up_samples that adds up buckets of %2$s from those of %1$s, for users and ranges of whole buckets, given as arrays of one length. Unchanged rows are not written.';
$format$, level.finer, level.coarser, level.width);
  END LOOP;
END
$build$;
