-- Today's totals and the last half hour of heart rate, for each of a tenant's users.
CREATE FUNCTION api.overview(
  tenant_id text, tz text DEFAULT 'UTC', user_ids text[] DEFAULT NULL, most int DEFAULT 1000
) RETURNS TABLE (
  user_id     text,
  steps       bigint,
  calories    double precision,
  heart_rates double precision[],
  day_start   timestamptz,
  day_end     timestamptz,
  first_minute timestamptz
)
-- STABLE, so that rollups and raw readings are read in one snapshot.
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
-- A generic plan would open every chunk.
SET plan_cache_mode = force_custom_plan
AS $$
#variable_conflict use_column
DECLARE
  zone    CONSTANT text := api.time_zone(tz);
  horizon CONSTANT timestamptz := (SELECT materialized FROM core.horizon);
  raw_end timestamptz;
BEGIN
  day_start := api_internal.local_start(date_trunc('day', now() AT TIME ZONE zone), zone);
  day_end := api_internal.local_start(date_trunc('day', now() AT TIME ZONE zone) + INTERVAL '1 day', zone);
  first_minute := public.time_bucket(INTERVAL '1 minute', now()) - INTERVAL '29 minutes';
  raw_end := greatest(day_end, first_minute + INTERVAL '30 minutes');

  RETURN QUERY
    WITH people AS (
      SELECT p.user_key, p.user_id, p.place,
             -- The rollup answers for the day up to its first stale quarter, and for no part of a day that does not begin on a
             -- quarter of an hour.
             CASE WHEN public.time_bucket(INTERVAL '15 minutes', overview.day_start) <> overview.day_start
                  THEN overview.day_start
                  -- Where there are intervals, a stale quarter concerns its hour.
                  ELSE greatest(overview.day_start, public.time_bucket(CASE WHEN i.has_intervals THEN INTERVAL '1 hour' ELSE INTERVAL '15 minutes' END,
                       least(horizon, overview.day_end, (
                         SELECT min(s.day + (position(B'1' IN s.quarters) - 1) * INTERVAL '15 minutes')
                           FROM core.stale_day AS s
                          WHERE s.user_key = p.user_key AND s.quarters <> B'0'::bit(96)
                            AND s.day >= public.time_bucket(INTERVAL '24 hours', overview.day_start)
                            AND s.day < overview.day_end)))) END AS rolled_up_to,
             i.has_intervals
        FROM (SELECT u.user_key, u.user_id, row_number() OVER (ORDER BY u.registered_at, u.user_id) AS place
                FROM core.app_user AS u
                JOIN api_internal.visible_tenant AS t USING (tenant_key)
               WHERE t.tenant_id = overview.tenant_id
                 AND (user_ids IS NULL OR u.user_id = ANY (user_ids))
               ORDER BY u.registered_at, u.user_id
               LIMIT most) AS p
       CROSS JOIN LATERAL (SELECT EXISTS (SELECT FROM core.interval_series AS i
                                           WHERE i.user_key = p.user_key AND i.kind < 2 AND i.metric_key < 4)) AS i (has_intervals)
    ), readings AS (
      SELECT p.user_key, d.device_key, r.*
        FROM people AS p
       CROSS JOIN LATERAL (
         -- A skip scan over the user's devices: in the index the readings of a device are adjacent.
         WITH RECURSIVE worn AS (
           (SELECT r.device_key
              FROM core.reading AS r
             WHERE r.user_key = p.user_key
               AND r.ts >= least(overview.day_start, overview.first_minute) AND r.ts < raw_end
             ORDER BY r.device_key
             LIMIT 1)
           UNION ALL
           SELECT (SELECT r.device_key
                     FROM core.reading AS r
                    WHERE r.user_key = p.user_key AND r.device_key > w.device_key
                      AND r.ts >= least(overview.day_start, overview.first_minute) AND r.ts < raw_end
                    ORDER BY r.device_key
                    LIMIT 1)
             FROM worn AS w
            WHERE w.device_key IS NOT NULL
         )
         SELECT device_key FROM worn WHERE device_key IS NOT NULL
       ) AS d
       CROSS JOIN LATERAL (
         SELECT public.time_bucket(INTERVAL '1 minute', r.ts) AS bucket,
                sum(round(r.heart_rate * 1e6)::bigint)::bigint AS heart_rate_sum,
                count(r.heart_rate) AS heart_rate_count,
                sum(round(r.calories * 1e6)::bigint)::bigint AS calories,
                sum(r.steps) AS steps
           FROM core.reading AS r
          WHERE r.user_key = p.user_key
            AND r.device_key = d.device_key
            AND r.ts >= least(overview.day_start, overview.first_minute) AND r.ts < raw_end
            AND r.ts >= least(p.rolled_up_to, overview.first_minute)
          GROUP BY 1
       ) AS r
    ), minutes AS (
      SELECT r.user_key,
             r.bucket,
             public.first(r.heart_rate_sum, d.heart_rate_rank) FILTER (WHERE r.heart_rate_count > 0)
               / (public.first(r.heart_rate_count, d.heart_rate_rank) FILTER (WHERE r.heart_rate_count > 0)
                  * 1e6::double precision) AS heart_rate,
             public.first(r.calories, d.calories_rank) FILTER (WHERE r.calories IS NOT NULL) AS calories,
             public.first(r.steps, d.steps_rank) FILTER (WHERE r.steps IS NOT NULL) AS steps
        FROM readings AS r
        JOIN core.device AS d USING (device_key)
       GROUP BY r.user_key, r.bucket
    ), today AS (
      SELECT v.user_key, sum(v.steps)::bigint AS steps, sum(v.calories)::bigint AS calories
        FROM (SELECT m.user_key, m.steps, m.calories
                FROM minutes AS m
                JOIN people AS p USING (user_key)
               WHERE m.bucket >= p.rolled_up_to AND m.bucket < overview.day_end AND NOT p.has_intervals
              UNION ALL
              SELECT p.user_key, m.steps, m.calories
                FROM people AS p
               CROSS JOIN LATERAL api_internal.minutes(
                 p.user_key, tstzmultirange(tstzrange(p.rolled_up_to, overview.day_end)), NULL, true) AS m
               WHERE p.has_intervals AND p.rolled_up_to < overview.day_end
              UNION ALL
              SELECT r.user_key, r.steps, r.calories
                FROM people AS p
                JOIN rollup.user_15m AS r USING (user_key)
               WHERE r.bucket >= overview.day_start AND r.bucket < overview.day_end AND r.bucket < p.rolled_up_to) AS v
       GROUP BY v.user_key
    ), half_hour AS (
      SELECT p.user_key, array_agg(m.heart_rate ORDER BY g.minute) AS heart_rates
        FROM people AS p
       CROSS JOIN generate_series(overview.first_minute, overview.first_minute + INTERVAL '29 minutes',
                                  INTERVAL '1 minute') AS g (minute)
        LEFT JOIN minutes AS m ON m.user_key = p.user_key AND m.bucket = g.minute
       GROUP BY p.user_key
    )
    SELECT p.user_id, t.steps, api_internal.from_micro(t.calories), h.heart_rates,
           overview.day_start, overview.day_end, overview.first_minute
      FROM people AS p
      JOIN half_hour AS h USING (user_key)
      LEFT JOIN today AS t USING (user_key)
     ORDER BY p.place;
END
$$;

COMMENT ON FUNCTION api.overview IS
  'One row for each of a tenant''s users, those registered first or those named: today''s steps and calories (the day of tz, from day_start to day_end), exact and of several devices the best one, and the average heart rate of each of the 30 minutes from first_minute to now; null where nothing was measured.';
