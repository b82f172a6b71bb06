-- Marks the time that the horizon passes: a range within one day.
CREATE FUNCTION api_internal.mark_new_time(range_start timestamptz, range_end timestamptz) RETURNS void
LANGUAGE plpgsql
SET datestyle = 'ISO'
AS $$
DECLARE
  day     CONSTANT timestamptz := public.time_bucket(INTERVAL '24 hours', range_start);
  day_end CONSTANT timestamptz := day + INTERVAL '24 hours';
  -- An hour, four hours or day that ends here is rolled up now, also for users whose readings in it are all older.
  since   CONSTANT timestamptz := CASE WHEN range_end = day_end THEN day
                                       WHEN public.time_bucket(INTERVAL '4 hours', range_end) > range_start
                                       THEN public.time_bucket(INTERVAL '4 hours', range_start)
                                       WHEN public.time_bucket(INTERVAL '1 hour', range_end) > range_start
                                       THEN public.time_bucket(INTERVAL '1 hour', range_start)
                                       ELSE range_start END;
  hours_from CONSTANT timestamptz := public.time_bucket(INTERVAL '1 hour', range_start);
  hours_to   CONSTANT timestamptz := public.time_bucket(INTERVAL '1 hour', range_end);
BEGIN
  -- A skip scan over users and devices, whose cost depends on the users of the day, not on their readings. Literal bounds
  -- let the planner exclude all other chunks.
  EXECUTE format(
    'WITH RECURSIVE pair AS (
       (SELECT r.user_key, r.device_key
          FROM core.reading AS r
         WHERE r.ts >= %1$L AND r.ts < %2$L
         ORDER BY r.user_key, r.device_key
         LIMIT 1)
       UNION ALL
       SELECT n.user_key, n.device_key
         FROM pair AS p
        CROSS JOIN LATERAL (SELECT r.user_key, r.device_key
                              FROM core.reading AS r
                             WHERE (r.user_key, r.device_key) > (p.user_key, p.device_key)
                               AND r.ts >= %1$L AND r.ts < %2$L
                             ORDER BY r.user_key, r.device_key
                             LIMIT 1) AS n
     )
     INSERT INTO core.stale_day (user_key, day, quarters)
       SELECT DISTINCT p.user_key, %1$L::timestamptz, %3$L::bit(96)
         FROM pair AS p
        WHERE EXISTS (SELECT
                        FROM core.reading AS r
                       WHERE r.user_key = p.user_key AND r.device_key = p.device_key AND r.ts >= %4$L AND r.ts < %5$L)
       UNION
       -- And users with intervals of steps or calories that overlap it. A worn window alone changes nothing.
       SELECT s.user_key, %1$L, %3$L
         FROM core.interval_series AS s
        WHERE s.kind = 0 AND s.metric_key < 4
          AND EXISTS (SELECT
                        FROM core.interval AS i
                       WHERE i.user_key = s.user_key AND i.metric_key = s.metric_key
                         AND i.ts > %4$L::timestamptz - INTERVAL ''24 hours'' AND i.ts < %5$L AND i.ends_at > %4$L)',
    day, day_end, api_internal.quarter_bits(day, range_start, range_end), since, range_end);

  -- Samples are rolled up by whole hours. Users with samples of the day were noted when these were written; each of their series is
  -- looked up.
  IF hours_from < hours_to THEN
    EXECUTE format(
      'INSERT INTO core.stale_day (user_key, day, quarters, sample_quarters)
         SELECT n.user_key, %1$L::timestamptz, B''0''::bit(96), %2$L::bit(96)
           FROM (SELECT DISTINCT d.user_key FROM core.sample_day AS d WHERE d.day = %1$L) AS n
          CROSS JOIN LATERAL (
            -- Of intervals it is not looked up which of the hours they overlap.
            SELECT FROM core.interval_series AS s WHERE s.user_key = n.user_key AND s.kind = 0 AND s.metric_key > 3
            UNION ALL
            SELECT
              FROM core.sample_series AS s
             CROSS JOIN LATERAL (SELECT
                                   FROM core.sample AS x
                                  WHERE x.user_key = s.user_key AND x.metric_key = s.metric_key AND x.device_key = s.device_key
                                    AND x.ts >= %3$L AND x.ts < %4$L
                                  LIMIT 1) AS x
             WHERE s.user_key = n.user_key
             LIMIT 1) AS s',
      day, api_internal.quarter_bits(day, hours_from, hours_to), CASE WHEN hours_to = day_end THEN day ELSE hours_from END, hours_to);
  END IF;
  IF range_end = day_end THEN
    DELETE FROM core.sample_day AS d WHERE d.day < day_end;
  END IF;
END
$$;

COMMENT ON FUNCTION api_internal.mark_new_time IS
  'Marks a range within one day (UTC), whose ends are multiples of 15 minutes, stale for every user with readings in the range, or with intervals of steps or calories over it, or in the hour, four hours or day that end with it; and the hours that end in the range for every user with samples in them, or in the day that ends with it. Forgets who has samples of a day that the range completes.';
