-- The rows of every part of a range.
CREATE FUNCTION api.rows(user_key int, device_key int, parts api.part[])
RETURNS SETOF api.bucket_row
LANGUAGE plpgsql STABLE
-- Rollups with few chunks are planned once in a session: planning costs more than reading a user's rows.
SET plan_cache_mode = force_generic_plan
SET datestyle = 'ISO'
AS $$
#variable_conflict use_column
DECLARE
  wanted_user   CONSTANT int := user_key;
  wanted_device CONSTANT int := device_key;
  sources CONSTANT text[] := (SELECT array_agg(DISTINCT p.source) FROM unnest(parts) AS p);
  part    api.part;
BEGIN
  IF '1d' = ANY (sources) THEN
    RETURN QUERY
      SELECT r.bucket, r.first_ts, r.last_ts, r.heart_rate_sum, r.heart_rate_count, r.heart_rate_min, r.heart_rate_max,
             r.calories, r.steps, r.heart_rate_device
        FROM unnest(parts) AS p
        JOIN rollup.user_1d AS r ON r.user_key = wanted_user AND r.bucket >= p.part_start AND r.bucket < p.part_end
       WHERE p.source = '1d'
         AND (p.stale_days IS NULL OR public.time_bucket(INTERVAL '24 hours', r.bucket) <> ALL (p.stale_days));
  END IF;
  IF '1h' = ANY (sources) THEN
    RETURN QUERY
      SELECT r.bucket, r.first_ts, r.last_ts, r.heart_rate_sum, r.heart_rate_count, r.heart_rate_min, r.heart_rate_max,
             r.calories, r.steps, r.heart_rate_device
        FROM unnest(parts) AS p
        JOIN rollup.user_1h AS r ON r.user_key = wanted_user AND r.bucket >= p.part_start AND r.bucket < p.part_end
       WHERE p.source = '1h' AND p.midnight IS NULL
         AND (p.stale_days IS NULL OR public.time_bucket(INTERVAL '24 hours', r.bucket) <> ALL (p.stale_days));
  END IF;
  IF '15m' = ANY (sources) THEN
    RETURN QUERY
      SELECT r.bucket, r.first_ts, r.last_ts, r.heart_rate_sum, r.heart_rate_count, r.heart_rate_min, r.heart_rate_max,
             r.calories, r.steps, r.heart_rate_device
        FROM unnest(parts) AS p
        JOIN rollup.user_15m AS r ON r.user_key = wanted_user AND r.bucket >= p.part_start AND r.bucket < p.part_end
       WHERE p.source = '15m' AND p.midnight IS NULL
         AND (p.stale_days IS NULL OR public.time_bucket(INTERVAL '24 hours', r.bucket) <> ALL (p.stale_days));
  END IF;
  FOREACH part IN ARRAY coalesce(parts, '{}') LOOP
    IF part.midnight IS NOT NULL THEN
      RETURN QUERY SELECT * FROM api.local_days(wanted_user, part);
    ELSIF part.source = '1m' THEN
      -- Many chunks: with literal bounds they are excluded when the query is planned.
      RETURN QUERY EXECUTE format(
        'SELECT bucket, first_ts, last_ts, heart_rate_sum, heart_rate_count, heart_rate_min, heart_rate_max, calories, '
        'steps, %s FROM rollup.%I WHERE user_key = %L AND bucket >= %L AND bucket < %L%s%s',
        CASE WHEN wanted_device IS NULL THEN 'heart_rate_device'
             ELSE 'CASE WHEN heart_rate_count > 0 THEN device_key END' END,
        CASE WHEN wanted_device IS NULL THEN 'user_1m' ELSE 'device_1m' END,
        wanted_user, part.part_start, part.part_end,
        CASE WHEN wanted_device IS NULL THEN '' ELSE format(' AND device_key = %L', wanted_device) END,
        CASE WHEN part.stale_days IS NULL THEN ''
             ELSE format(' AND public.time_bucket(INTERVAL ''24 hours'', bucket) <> ALL (%L::timestamptz[])',
                         part.stale_days) END);
    END IF;
  END LOOP;
  IF 'raw' = ANY (sources) THEN
    RETURN QUERY
      SELECT *
        FROM api.minutes(wanted_user, (SELECT range_agg(tstzrange(p.part_start, p.part_end)) FROM unnest(parts) AS p
                                        WHERE p.source = 'raw'), wanted_device);
  END IF;
END
$$;

COMMENT ON FUNCTION api.rows IS
  'The rows of any resolution that together are a user''s readings in the parts given; a device_key asks for that device alone. Where a part names a midnight, its rows may be those of local days, by their midnight, without first_ts and last_ts.';
