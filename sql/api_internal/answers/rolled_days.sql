-- Local days of users that the rollups answer for as a whole: a statement of its own, which may be planned with parallel workers.
CREATE FUNCTION api_internal.rolled_days(
  user_keys int[], level text, midnights timestamptz[], cut timestamptz[], hours timestamptz[], quarters timestamptz[]
) RETURNS TABLE (
  user_key           int,
  number             int,
  steps              bigint,
  calories           bigint,
  heart_rate_count   bigint,
  heart_rate_sum     bigint,
  heart_rate_min     double precision,
  heart_rate_max     double precision,
  resting_heart_rate double precision,
  worn_minutes       int,
  first_ts           timestamptz,
  last_ts            timestamptz
)
LANGUAGE plpgsql STABLE
-- Planned with the lists of users and buckets, whose lengths decide between an index and a scan.
SET plan_cache_mode = force_custom_plan
SET work_mem = '64MB'
AS $$
#variable_conflict use_column
DECLARE
  from_ts CONSTANT timestamptz := midnights[1];
  to_ts   CONSTANT timestamptz := midnights[cardinality(midnights)];
BEGIN
  IF level = '1d' THEN
    RETURN QUERY
      SELECT r.user_key, width_bucket(r.bucket, midnights), r.steps, r.calories, r.heart_rate_count::bigint, r.heart_rate_sum,
             r.heart_rate_min, r.heart_rate_max, r.resting_heart_rate, r.worn_minutes::int, r.first_ts, r.last_ts
        FROM rollup.user_1d AS r
       WHERE r.bucket >= from_ts AND r.bucket < to_ts AND r.user_key = ANY (user_keys);
    RETURN;
  END IF;
  RETURN QUERY
    SELECT r.user_key, width_bucket(r.bucket, midnights), api_internal.total(r.steps), api_internal.total(r.calories),
           sum(r.heart_rate_count), api_internal.total(r.heart_rate_sum), min(r.heart_rate_min), max(r.heart_rate_max),
           min(r.resting_heart_rate), CASE WHEN count(r.worn_minutes) = count(*) THEN sum(r.worn_minutes) END::int,
           min(r.first_ts), max(r.last_ts)
      FROM (SELECT r.user_key, r.bucket, r.first_ts, r.last_ts, r.heart_rate_sum, r.heart_rate_count, r.heart_rate_min,
                   r.heart_rate_max, r.calories, r.steps, r.worn_minutes, r.resting_heart_rate
              FROM rollup.user_4h AS r
             WHERE r.bucket >= from_ts AND r.bucket < to_ts AND r.bucket <> ALL (cut) AND r.user_key = ANY (user_keys)
            UNION ALL
            SELECT r.user_key, r.bucket, r.first_ts, r.last_ts, r.heart_rate_sum, r.heart_rate_count, r.heart_rate_min,
                   r.heart_rate_max, r.calories, r.steps, r.worn_minutes, r.resting_heart_rate
              FROM rollup.user_1h AS r
             WHERE hours <> '{}' AND r.bucket = ANY (hours) AND r.user_key = ANY (user_keys)
            UNION ALL
            SELECT r.user_key, r.bucket, r.first_ts, r.last_ts, r.heart_rate_sum, r.heart_rate_count, r.heart_rate_min,
                   r.heart_rate_max, r.calories, r.steps, r.worn_minutes,
                   CASE WHEN r.worn_minutes >= 3 THEN r.heart_rate_sum / (r.heart_rate_count * 1e6::double precision) END
              FROM rollup.user_15m AS r
             WHERE quarters <> '{}' AND r.bucket = ANY (quarters) AND r.user_key = ANY (user_keys)) AS r
     GROUP BY 1, 2;
END
$$;

COMMENT ON FUNCTION api_internal.rolled_days IS
  'Days of users by number, between midnights that are below the horizon, for users without a stale quarter there: from rollups of a day (level 1d), or of four hours except those listed in cut, and from the listed hours and quarters of an hour. Sums of heart rate and calories in whole millionths.';
