-- Quarters of an hour of many users, from raw readings, planned separately.
CREATE FUNCTION api_internal.raw_quarters_of(
  user_keys int[], range_start timestamptz, range_end timestamptz, stale_keys int[], stale_quarters timestamptz[]
) RETURNS TABLE (
  user_key          int,
  bucket            timestamptz,
  first_ts          timestamptz,
  last_ts           timestamptz,
  heart_rate_sum    bigint,
  heart_rate_count  int,
  heart_rate_min    double precision,
  heart_rate_max    double precision,
  calories          bigint,
  steps             bigint,
  heart_rate_device int,
  worn_minutes      smallint
)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET datestyle = 'ISO'
SET enable_sort = off
AS $$
DECLARE
  stale_from CONSTANT timestamptz := coalesce((SELECT min(q) FROM unnest(stale_quarters) AS q), range_end);
  with_intervals CONSTANT int[] := ARRAY(SELECT u.user_key
                                           FROM (SELECT unnest(user_keys) UNION SELECT unnest(stale_keys)) AS u (user_key)
                                          WHERE api_internal.has_intervals(u.user_key));
  stale_to   CONSTANT timestamptz := coalesce((SELECT max(q) FROM unnest(stale_quarters) AS q) + INTERVAL '15 minutes', range_end);
BEGIN
  IF range_start >= range_end AND stale_keys IS NULL THEN
    RETURN;
  END IF;
  -- Literal bounds let the planner exclude chunks.
  RETURN QUERY EXECUTE format(
    'WITH by_device AS (
       SELECT r.user_key, r.device_key, public.time_bucket(INTERVAL ''1 minute'', r.bucket) AS bucket,
              min(r.first_ts) AS first_ts, max(r.last_ts) AS last_ts, sum(r.heart_rate_sum)::bigint AS heart_rate_sum,
              sum(r.heart_rate_count)::bigint AS heart_rate_count, min(r.heart_rate_min) AS heart_rate_min,
              max(r.heart_rate_max) AS heart_rate_max, sum(r.calories)::bigint AS calories, sum(r.steps)::bigint AS steps
         FROM (SELECT * FROM api_internal.reading_rows AS r
                WHERE r.bucket >= %1$L AND r.bucket < %2$L AND r.user_key = ANY ($4)
               UNION ALL
               SELECT r.*
                 FROM unnest($2, $3) AS s (user_key, bucket)
                 JOIN api_internal.%3$I AS r
                   ON r.user_key = s.user_key AND r.bucket >= s.bucket AND r.bucket < s.bucket + INTERVAL ''15 minutes''
                WHERE r.bucket >= %4$L AND r.bucket < %5$L%7$s) AS r
        GROUP BY 1, 2, 3
     ), best AS (
       SELECT b.user_key, b.bucket, min(b.first_ts) AS first_ts, max(b.last_ts) AS last_ts,
              public.first(b.heart_rate_sum, d.heart_rate_rank) FILTER (WHERE b.heart_rate_count > 0) AS heart_rate_sum,
              coalesce(public.first(b.heart_rate_count, d.heart_rate_rank) FILTER (WHERE b.heart_rate_count > 0), 0) AS heart_rate_count,
              public.first(b.heart_rate_min, d.heart_rate_rank) FILTER (WHERE b.heart_rate_count > 0) AS heart_rate_min,
              public.first(b.heart_rate_max, d.heart_rate_rank) FILTER (WHERE b.heart_rate_count > 0) AS heart_rate_max,
              public.first(b.calories, d.calories_rank) FILTER (WHERE b.calories IS NOT NULL) AS calories,
              public.first(b.steps, d.steps_rank) FILTER (WHERE b.steps IS NOT NULL) AS steps,
              public.first(b.device_key, d.heart_rate_rank) FILTER (WHERE b.heart_rate_count > 0) AS heart_rate_device
         FROM by_device AS b
         JOIN core.device AS d USING (device_key)
        GROUP BY 1, 2
     )
     SELECT m.user_key, public.time_bucket(INTERVAL ''15 minutes'', m.bucket), min(m.first_ts), max(m.last_ts),
            sum(m.heart_rate_sum)::bigint, sum(m.heart_rate_count)::int, min(m.heart_rate_min), max(m.heart_rate_max),
            sum(m.calories)::bigint, sum(m.steps)::bigint,
            CASE WHEN min(m.heart_rate_device) = max(m.heart_rate_device) THEN min(m.heart_rate_device)
                 WHEN min(m.heart_rate_device) IS NOT NULL THEN 0 END,
            (count(*) FILTER (WHERE m.heart_rate_count > 0))::smallint
       FROM %6$s AS m
      GROUP BY 1, 2',
    range_start, range_end, api_internal.raw_source(stale_from), stale_from, stale_to,
    -- Users with intervals one after the other, if there are any: without them the plan is simpler.
    CASE WHEN with_intervals = '{}' THEN 'best' ELSE format(
      '(SELECT * FROM best
        UNION ALL
        SELECT i.user_key, m.bucket, m.first_ts, m.last_ts, m.heart_rate_sum, m.heart_rate_count, m.heart_rate_min,
               m.heart_rate_max, m.calories, m.steps, m.heart_rate_device
          FROM unnest($5) AS i (user_key)
         CROSS JOIN LATERAL api_internal.minutes(i.user_key, (
           SELECT range_agg(r.range)
             FROM (SELECT tstzrange(%1$L, greatest(%1$L::timestamptz, %2$L)) AS range WHERE i.user_key = ANY ($1)
                   UNION ALL
                   SELECT tstzrange(s.bucket, s.bucket + INTERVAL ''15 minutes'')
                     FROM unnest($2, $3) AS s (user_key, bucket)
                    WHERE s.user_key = i.user_key) AS r), NULL, true) AS m)', range_start, range_end) END,
    CASE WHEN with_intervals = '{}' THEN '' ELSE ' AND s.user_key <> ALL ($5)' END)
    USING user_keys, stale_keys, stale_quarters, ARRAY(SELECT u FROM unnest(user_keys) AS u WHERE u <> ALL (with_intervals)), with_intervals;
END
$$;

COMMENT ON FUNCTION api_internal.raw_quarters_of IS
  'Quarters of an hour of users in range_start <= bucket < range_end, and stale quarters, given as arrays of users and buckets of one length, computed from raw readings, with columns as in rollup.user_15m; of several devices the best one, chosen for each minute and metric.';
