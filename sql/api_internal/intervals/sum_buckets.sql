-- What sums of users with intervals or worn windows come to by bucket.
CREATE FUNCTION api_internal.sum_buckets(
  user_keys int[], metric_keys int[], device_keys int[], starts timestamptz[], ends timestamptz[], width interval, of_devices boolean,
  only_device int
) RETURNS TABLE (
  user_key    int,
  metric_key  int,
  device_key  int,
  bucket      timestamptz,
  first_ts    timestamptz,
  last_ts     timestamptz,
  samples     bigint,
  total       numeric,
  best_device int,
  sole_device int
)
LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_generic_plan
-- The planner does not know how much there is, and would join by nested loops, or sort.
SET enable_nestloop = off
SET enable_mergejoin = off
SET enable_sort = off
SET work_mem = '64MB'
AS $$
#variable_conflict use_column
DECLARE
  hour CONSTANT interval := INTERVAL '1 hour';
BEGIN
  RETURN QUERY
    WITH asked AS MATERIALIZED (
      -- Whole hours, and what is left of the ranges at their ends.
      SELECT a.user_key, a.metric_key, a.device_key, a.range_start, a.range_end,
             h.hours_from, greatest(h.hours_from, public.time_bucket(hour, a.range_end)) AS hours_to
        FROM unnest(user_keys, metric_keys, device_keys, starts, ends) AS a (user_key, metric_key, device_key, range_start, range_end)
       -- For minutes the rule itself is as fast.
       CROSS JOIN LATERAL (SELECT CASE WHEN width < INTERVAL '15 minutes' THEN a.range_end
                                       ELSE least(public.time_bucket(hour, a.range_start + hour - INTERVAL '1 microsecond'), a.range_end)
                                  END) AS h (hours_from)
    ), whole AS MATERIALIZED (
      SELECT array_agg(a.user_key) AS user_keys, array_agg(a.metric_key) AS metric_keys, array_agg(a.device_key) AS device_keys,
             array_agg(a.hours_from) AS starts, array_agg(a.hours_to) AS ends
        FROM asked AS a
       WHERE a.hours_from < a.hours_to
    ), counted AS MATERIALIZED (
      SELECT c.*
        FROM (SELECT array_agg(r.user_key) AS user_keys, array_agg(r.hours_from) AS starts, array_agg(r.hours_to) AS ends
                FROM (SELECT DISTINCT a.user_key, a.hours_from, a.hours_to FROM asked AS a WHERE a.hours_from < a.hours_to) AS r) AS r
       CROSS JOIN LATERAL api_internal.cell_buckets(
               r.user_keys, r.starts, r.ends, ARRAY(SELECT DISTINCT a.metric_key FROM asked AS a),
               ARRAY(SELECT p FROM whole AS w CROSS JOIN LATERAL api_internal.sample_parts(w.user_keys, w.metric_keys, w.device_keys, w.starts, w.ends, width) AS p),
               width, only_device) AS c
       WHERE r.user_keys IS NOT NULL
    ), series AS MATERIALIZED (
      SELECT a.user_key, a.metric_key, array_agg(DISTINCT a.device_key) AS device_keys,
             CASE WHEN min(a.device_key) = max(a.device_key) THEN min(a.device_key) END AS sole_device
        FROM asked AS a
       GROUP BY 1, 2
    ), hard AS MATERIALIZED (
      -- Of a single device everything counts, as in a question for it.
      SELECT r.user_key, r.metric_key, r.device_key, s.sole_device, coalesce(r.device_key, s.sole_device) AS only_device,
             CASE WHEN r.device_key IS NULL THEN s.device_keys ELSE ARRAY[r.device_key] END AS device_keys,
             range_agg(tstzrange(r.range_start, r.range_end)) AS ranges
        FROM (SELECT c.user_key, c.metric_key, c.device_key, c.cell AS range_start, c.cell + hour AS range_end FROM counted AS c WHERE c.is_hard
              UNION ALL
              SELECT a.user_key, a.metric_key, d.device_key, e.range_start, e.range_end
                FROM asked AS a
               CROSS JOIN LATERAL (VALUES (a.range_start, a.hours_from), (a.hours_to, a.range_end)) AS e (range_start, range_end)
               CROSS JOIN LATERAL (VALUES (NULL), (a.device_key)) AS d (device_key)
               WHERE e.range_start < e.range_end) AS r
        JOIN series AS s USING (user_key, metric_key)
       WHERE r.device_key IS NULL OR of_devices AND s.sole_device IS NULL
       GROUP BY 1, 2, 3, 4, 5, 6
    )
    SELECT c.user_key, c.metric_key, c.device_key, c.bucket, c.first_ts, c.last_ts, c.samples, c.total, c.best_device,
           CASE WHEN c.device_key IS NULL THEN s.sole_device END
      FROM counted AS c
      JOIN series AS s USING (user_key, metric_key)
     WHERE NOT c.is_hard AND (c.device_key IS NULL OR of_devices AND s.sole_device IS NULL)
    UNION ALL
    SELECT h.user_key, h.metric_key, h.device_key, c.bucket, c.first_ts, c.last_ts, c.samples, c.total,
           CASE WHEN h.device_key IS NULL THEN c.best_device END, CASE WHEN h.device_key IS NULL THEN h.sole_device END
      FROM hard AS h
     CROSS JOIN LATERAL api_internal.counted_buckets(h.user_key, h.metric_key, h.device_keys, h.ranges, width, h.only_device) AS c;
END
$$;

COMMENT ON FUNCTION api_internal.sum_buckets IS
  'The part of api_internal.sample_buckets for metrics that are sums of users with intervals or worn windows: whole hours by api_internal.cell_buckets, those that are hard, cut ones and minutes by api_internal.counted_buckets. The ranges of a user are the same for every metric. only_device selects one device, of which everything counts; the given devices are all others.';
