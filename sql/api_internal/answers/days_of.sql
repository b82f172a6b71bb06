-- The days of users, local to one time zone.
CREATE FUNCTION api_internal.days_of(zone text, range_start date, range_end date, user_keys int[]) RETURNS TABLE (
  tenant_id          text,
  user_id            text,
  day                date,
  steps              bigint,
  calories           double precision,
  heart_rate_count   bigint,
  heart_rate_avg     double precision,
  heart_rate_min     double precision,
  heart_rate_max     double precision,
  resting_heart_rate double precision,
  worn_minutes       int,
  first_ts           timestamptz,
  last_ts            timestamptz,
  day_start          timestamptz,
  day_end            timestamptz,
  complete           boolean
)
LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_custom_plan
SET work_mem = '64MB'
AS $$
#variable_conflict use_column
DECLARE
  today        CONSTANT date := (now() AT TIME ZONE zone)::date;
  first_day    CONSTANT date := coalesce(range_start, coalesce(range_end, today) - 7);
  after_day    CONSTANT date := coalesce(range_end, today);
  horizon      CONSTANT timestamptz := (SELECT h.materialized FROM core.horizon AS h);
  -- The start of each day, and the end of the last one.
  midnights    CONSTANT timestamptz[] := (
    SELECT array_agg(api_internal.local_start(first_day + n, zone) ORDER BY n) FROM generate_series(0, after_day - first_day) AS n);
  from_ts      CONSTANT timestamptz := midnights[1];
  to_ts        CONSTANT timestamptz := midnights[cardinality(midnights)];
  -- The coarsest level that is read, days or four hours; buckets cut by midnight or by the horizon are read as hours and quarters.
  level        text;
  width        interval;
  whole_to     timestamptz;
  hours_to     CONSTANT timestamptz := public.time_bucket(INTERVAL '1 hour', horizon);
  cut          timestamptz[];
  cut_hours    timestamptz[];
  all_hours    timestamptz[]; -- read for every user
  all_quarters timestamptz[];
  rolled_keys  int[]; -- users whose days the rollups answer for
  other_keys   int[];
  stale        record;
  totals       record;
BEGIN
  IF after_day <= first_day THEN
    RETURN;
  ELSIF after_day - first_day > 3700 THEN
    RAISE EXCEPTION 'the range has % days', after_day - first_day
      USING ERRCODE = 'invalid_parameter_value', HINT = 'Ask for ten years at most at a time.';
  END IF;
  level := api_internal.coarsest_level('1d', zone, from_ts, to_ts);
  IF level = 'raw' THEN
    RAISE EXCEPTION 'days in % begin beside a quarter of an hour between % and %', zone, first_day, after_day
      USING ERRCODE = 'feature_not_supported', HINT = 'Ask api.series for them, user by user.';
  END IF;
  level := CASE level WHEN '1d' THEN '1d' ELSE '4h' END;
  width := CASE level WHEN '1d' THEN INTERVAL '24 hours' ELSE INTERVAL '4 hours' END;
  whole_to := public.time_bucket(width, horizon);
  SELECT coalesce(array_agg(DISTINCT public.time_bucket(width, c.at)) FILTER (WHERE public.time_bucket(width, c.at) <> c.at), '{}'),
         coalesce(array_agg(DISTINCT public.time_bucket(INTERVAL '1 hour', c.at))
                    FILTER (WHERE public.time_bucket(INTERVAL '1 hour', c.at) <> c.at), '{}')
    INTO cut, cut_hours
    FROM (SELECT unnest(midnights) AS at UNION SELECT horizon WHERE horizon > from_ts AND horizon < to_ts) AS c;
  SELECT coalesce(array_agg(h.hour), '{}') INTO all_hours
    FROM unnest(cut) AS c (bucket)
   CROSS JOIN generate_series(c.bucket, c.bucket + width - INTERVAL '1 hour', INTERVAL '1 hour') AS h (hour)
   WHERE h.hour >= from_ts AND h.hour < least(to_ts, hours_to) AND h.hour <> ALL (cut_hours);
  SELECT coalesce(array_agg(q.quarter), '{}') INTO all_quarters
    FROM unnest(cut_hours) AS c (hour)
   CROSS JOIN generate_series(c.hour, c.hour + INTERVAL '45 minutes', INTERVAL '15 minutes') AS q (quarter)
   WHERE q.quarter >= from_ts AND q.quarter < least(to_ts, horizon);

  SELECT array_agg(s.user_key) AS user_keys, array_agg(s.bucket) AS quarters INTO stale
    FROM (SELECT DISTINCT s.user_key, s.day + q * INTERVAL '15 minutes' AS bucket
            FROM core.stale_day AS s
           CROSS JOIN generate_series(0, 95) AS q
           WHERE s.user_key = ANY (user_keys) AND s.day > from_ts - INTERVAL '24 hours' AND s.day < to_ts
             AND get_bit(s.quarters, q) = 1) AS s
   WHERE s.bucket >= from_ts AND s.bucket < least(to_ts, horizon);

  IF EXISTS (SELECT FROM core.interval_series AS i WHERE i.user_key = ANY (user_keys)) THEN
    SELECT array_agg(s.user_key) AS user_keys, array_agg(s.bucket) AS quarters INTO stale
      FROM (SELECT DISTINCT s.user_key, s.day + q * INTERVAL '15 minutes' AS bucket
              FROM api_internal.marks AS s
             CROSS JOIN generate_series(0, 95) AS q
             WHERE s.user_key = ANY (user_keys) AND s.day > from_ts - INTERVAL '24 hours' AND s.day < to_ts
               AND get_bit(s.quarters, q) = 1) AS s
     WHERE s.bucket >= from_ts AND s.bucket < least(to_ts, horizon);
    -- Daily totals count in the day in which they lie as a whole.
    SELECT array_agg(t.user_key) AS user_keys, array_agg(t.number) AS numbers, array_agg(t.steps) AS steps,
           array_agg(t.calories) AS calories, array_agg(t.first_ts) AS first_ts, array_agg(t.last_ts) AS last_ts
      INTO totals
      FROM (SELECT i.user_key, width_bucket(t.ts, midnights) AS number, api_internal.total(t.amount / 1000000) FILTER (WHERE t.metric_key = 2) AS steps,
                   api_internal.total(t.amount) FILTER (WHERE t.metric_key = 3) AS calories, min(t.ts) AS first_ts, max(t.ts) AS last_ts
              FROM (SELECT DISTINCT i.user_key FROM core.interval_series AS i
                     WHERE i.user_key = ANY (user_keys) AND i.kind = 2 AND i.metric_key < 4) AS i
             CROSS JOIN LATERAL api_internal.counted_totals(i.user_key, '{2,3}', from_ts, to_ts) AS t
             WHERE t.ends_at <= midnights[width_bucket(t.ts, midnights) + 1]
             GROUP BY 1, 2) AS t;
  ELSE
    SELECT NULL::int[] AS user_keys, NULL::int[] AS numbers, NULL::bigint[] AS steps, NULL::bigint[] AS calories,
           NULL::timestamptz[] AS first_ts, NULL::timestamptz[] AS last_ts INTO totals;
  END IF;

  -- Rollups answer below the horizon, for all users but those with a stale quarter.
  SELECT array_agg(u.user_key) FILTER (WHERE to_ts <= horizon AND s.user_key IS NULL),
         array_agg(u.user_key) FILTER (WHERE to_ts > horizon OR s.user_key IS NOT NULL)
    INTO rolled_keys, other_keys
    FROM unnest(user_keys) AS u (user_key)
    LEFT JOIN (SELECT DISTINCT s.user_key FROM unnest(stale.user_keys) AS s (user_key)) AS s USING (user_key);

  RETURN QUERY
    WITH stale_quarters AS MATERIALIZED (
      SELECT * FROM unnest(stale.user_keys, stale.quarters) AS s (user_key, bucket)
    ), stale_hours AS MATERIALIZED (
      SELECT DISTINCT s.user_key, public.time_bucket(INTERVAL '1 hour', s.bucket) AS bucket FROM stale_quarters AS s
    ), stale_buckets AS MATERIALIZED (
      SELECT DISTINCT s.user_key, public.time_bucket(width, s.bucket) AS bucket FROM stale_hours AS s
    ), by_user AS MATERIALIZED (
      -- The hours and quarters to read for each user: those of cut buckets, and the fresh ones of stale buckets.
      SELECT u.user_key, all_hours || coalesce(h.hours, '{}') AS hours, all_quarters || coalesce(q.quarters, '{}') AS quarters
        FROM unnest(other_keys) AS u (user_key)
        LEFT JOIN (SELECT s.user_key, array_agg(h.hour) AS hours
                     FROM stale_buckets AS s
                    CROSS JOIN generate_series(s.bucket, s.bucket + width - INTERVAL '1 hour', INTERVAL '1 hour') AS h (hour)
                    WHERE h.hour >= from_ts AND h.hour < least(to_ts, hours_to) AND h.hour <> ALL (cut_hours)
                    GROUP BY 1) AS h USING (user_key)
        LEFT JOIN (SELECT s.user_key, array_agg(q.quarter) AS quarters
                     FROM stale_hours AS s
                    CROSS JOIN generate_series(s.bucket, s.bucket + INTERVAL '45 minutes', INTERVAL '15 minutes') AS q (quarter)
                    WHERE q.quarter >= from_ts AND q.quarter < least(to_ts, horizon)
                    GROUP BY 1) AS q USING (user_key)
    ), rows AS (
      SELECT r.user_key, r.bucket, r.first_ts, r.last_ts, r.heart_rate_sum, r.heart_rate_count, r.heart_rate_min,
             r.heart_rate_max, r.calories, r.steps, r.worn_minutes, r.resting_heart_rate
        FROM rollup.user_1d AS r
       WHERE level = '1d' AND r.user_key = ANY (other_keys) AND r.bucket >= from_ts AND r.bucket < least(to_ts, whole_to)
         AND NOT EXISTS (SELECT FROM stale_buckets AS s WHERE s.user_key = r.user_key AND s.bucket = r.bucket)
      UNION ALL
      SELECT r.user_key, r.bucket, r.first_ts, r.last_ts, r.heart_rate_sum, r.heart_rate_count, r.heart_rate_min,
             r.heart_rate_max, r.calories, r.steps, r.worn_minutes, r.resting_heart_rate
        FROM rollup.user_4h AS r
       WHERE level = '4h' AND r.user_key = ANY (other_keys) AND r.bucket >= from_ts AND r.bucket < least(to_ts, whole_to)
         AND r.bucket <> ALL (cut)
         AND NOT EXISTS (SELECT FROM stale_buckets AS s WHERE s.user_key = r.user_key AND s.bucket = r.bucket)
      UNION ALL
      -- One index lookup for each user, however many days: OFFSET keeps the planner from scanning all users.
      SELECT u.user_key, r.bucket, r.first_ts, r.last_ts, r.heart_rate_sum, r.heart_rate_count, r.heart_rate_min,
             r.heart_rate_max, r.calories, r.steps, r.worn_minutes, r.resting_heart_rate
        FROM by_user AS u
       CROSS JOIN LATERAL (SELECT r.* FROM rollup.user_1h AS r
                            WHERE r.user_key = u.user_key AND r.bucket = ANY (u.hours) OFFSET 0) AS r
       WHERE u.hours <> '{}'
         AND NOT EXISTS (SELECT FROM stale_hours AS s WHERE s.user_key = u.user_key AND s.bucket = r.bucket)
      UNION ALL
      SELECT q.user_key, q.bucket, q.first_ts, q.last_ts, q.heart_rate_sum, q.heart_rate_count, q.heart_rate_min,
             q.heart_rate_max, q.calories, q.steps, q.worn_minutes,
             CASE WHEN q.worn_minutes >= 3 THEN q.heart_rate_sum / (q.heart_rate_count * 1e6::double precision) END
        FROM (SELECT r.*
                FROM by_user AS u
               CROSS JOIN LATERAL (SELECT r.* FROM rollup.user_15m AS r
                                    WHERE r.user_key = u.user_key AND r.bucket = ANY (u.quarters) OFFSET 0) AS r
               WHERE u.quarters <> '{}'
                 AND NOT EXISTS (SELECT FROM stale_quarters AS s WHERE s.user_key = u.user_key AND s.bucket = r.bucket)
              UNION ALL
              SELECT q.bucket, q.first_ts, q.last_ts, q.heart_rate_sum, q.heart_rate_min, q.heart_rate_max, q.calories, q.steps,
                     q.user_key, q.heart_rate_count, q.heart_rate_device, NULL, q.worn_minutes
                FROM api_internal.raw_quarters_of(other_keys, greatest(from_ts, horizon), to_ts, stale.user_keys, stale.quarters) AS q
             ) AS q
    ), days AS (
      SELECT r.user_key, width_bucket(r.bucket, midnights) AS number, api_internal.total(r.steps) AS steps,
             api_internal.total(r.calories) AS calories, sum(r.heart_rate_count) AS heart_rate_count,
             api_internal.total(r.heart_rate_sum) AS heart_rate_sum, min(r.heart_rate_min) AS heart_rate_min,
             max(r.heart_rate_max) AS heart_rate_max, min(r.resting_heart_rate) AS resting_heart_rate,
             CASE WHEN count(r.worn_minutes) = count(*) THEN sum(r.worn_minutes) END::int AS worn_minutes,
             min(r.first_ts) AS first_ts, max(r.last_ts) AS last_ts
        FROM rows AS r
       GROUP BY 1, 2
      UNION ALL
      SELECT * FROM api_internal.rolled_days(rolled_keys, level, midnights, cut, all_hours, all_quarters)
    )
    SELECT p.tenant_id, p.user_id, first_day + number - 1,
           CASE WHEN t.steps IS NULL THEN d.steps ELSE coalesce(d.steps, 0) + t.steps END,
           api_internal.from_micro(CASE WHEN t.calories IS NULL THEN d.calories ELSE coalesce(d.calories, 0) + t.calories END),
           coalesce(d.heart_rate_count, 0), api_internal.from_micro(d.heart_rate_sum, nullif(d.heart_rate_count, 0)), d.heart_rate_min,
           d.heart_rate_max, d.resting_heart_rate, CASE WHEN d.first_ts IS NULL THEN 0 ELSE d.worn_minutes END,
           least(d.first_ts, t.first_ts), greatest(d.last_ts, t.last_ts), midnights[number], midnights[number + 1],
           midnights[number + 1] <= now()
      FROM days AS d
      FULL JOIN unnest(totals.user_keys, totals.numbers, totals.steps, totals.calories, totals.first_ts, totals.last_ts)
             AS t (user_key, number, steps, calories, first_ts, last_ts) USING (user_key, number)
      -- Sorts by name once for each user, not for each day.
      JOIN (SELECT u.user_key, t.tenant_id, u.user_id, row_number() OVER (ORDER BY t.tenant_id, u.user_id) AS place
              FROM core.app_user AS u
              JOIN core.tenant AS t USING (tenant_key)
             WHERE u.user_key = ANY (user_keys)) AS p USING (user_key)
     ORDER BY p.place, number;
END
$$;

COMMENT ON FUNCTION api_internal.days_of IS
  'The rows of api.daily of users, given by key, ordered by tenant, user and day; the zone is one that api.time_zone returns.';
