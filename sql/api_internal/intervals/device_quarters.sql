-- Readings of many users by device and quarter of an hour, planned separately.
CREATE FUNCTION api_internal.device_quarters(user_keys int[], starts timestamptz[], ends timestamptz[])
RETURNS SETOF api_internal.device_quarter
LANGUAGE plpgsql STABLE
SET datestyle = 'ISO'
SET work_mem = '64MB'
-- The planner cannot know how much there is, and would sort the readings, or scan those of all users.
SET enable_sort = off
SET enable_mergejoin = off
AS $$
DECLARE
  range_start CONSTANT timestamptz := (SELECT min(s) FROM unnest(starts) AS s);
BEGIN
  -- Literal bounds let the planner exclude chunks.
  RETURN QUERY EXECUTE format(
    'WITH RECURSIVE runs AS MATERIALIZED (
       SELECT * FROM unnest($1, $2, $3) AS r (user_key, run_start, run_end)
     ), worn AS (
       -- A skip scan over the devices of a user: in the index the readings of a device are adjacent.
       SELECT u.user_key, (SELECT r.device_key
                             FROM api_internal.%3$I AS r
                            WHERE r.user_key = u.user_key AND r.bucket >= %1$L AND r.bucket < %2$L
                            ORDER BY r.device_key
                            LIMIT 1) AS device_key
         FROM (SELECT DISTINCT r.user_key FROM runs AS r) AS u
       UNION ALL
       SELECT w.user_key, (SELECT r.device_key
                             FROM api_internal.%3$I AS r
                            WHERE r.user_key = w.user_key AND r.device_key > w.device_key
                              AND r.bucket >= %1$L AND r.bucket < %2$L
                            ORDER BY r.device_key
                            LIMIT 1)
         FROM worn AS w
        WHERE w.device_key IS NOT NULL
     )
     -- One index lookup for each device and run of quarters, which OFFSET enforces.
     SELECT q.bucket, q.first_ts, q.last_ts, q.heart_rate_sum, q.heart_rate_min, q.heart_rate_max, q.calories, q.steps,
            q.heart_rate_minutes, q.calories_minutes, q.steps_minutes, w.user_key, w.device_key, q.heart_rate_count
       FROM worn AS w
       JOIN runs AS x ON x.user_key = w.user_key
      CROSS JOIN LATERAL (
        SELECT public.time_bucket(INTERVAL ''15 minutes'', r.bucket) AS bucket, min(r.first_ts) AS first_ts, max(r.last_ts) AS last_ts,
               sum(r.heart_rate_sum)::bigint AS heart_rate_sum, sum(r.heart_rate_count)::int AS heart_rate_count,
               min(r.heart_rate_min) AS heart_rate_min, max(r.heart_rate_max) AS heart_rate_max,
               sum(r.calories)::bigint AS calories, sum(r.steps)::bigint AS steps,
               coalesce(bit_or(r.minute) FILTER (WHERE r.heart_rate_count > 0), 0) AS heart_rate_minutes,
               coalesce(bit_or(r.minute) FILTER (WHERE r.calories IS NOT NULL), 0) AS calories_minutes,
               coalesce(bit_or(r.minute) FILTER (WHERE r.steps IS NOT NULL), 0) AS steps_minutes
          FROM (SELECT r.*, 1::bigint << date_part(''minute'', r.bucket AT TIME ZONE ''UTC'')::int AS minute
                  FROM api_internal.%3$I AS r
                 WHERE r.user_key = w.user_key AND r.device_key = w.device_key AND r.bucket >= x.run_start AND r.bucket < x.run_end
                   AND r.bucket >= %1$L AND r.bucket < %2$L) AS r
         GROUP BY 1
        OFFSET 0) AS q
      WHERE w.device_key IS NOT NULL',
    range_start, (SELECT max(e) FROM unnest(ends) AS e), api_internal.raw_source(range_start)) USING user_keys, starts, ends;
END
$$;

COMMENT ON FUNCTION api_internal.device_quarters IS
  'The readings in half-open ranges of users, given as arrays of one length, by device and quarter of an hour.';
