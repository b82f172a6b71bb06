-- The rows of every part of a range.
CREATE FUNCTION api_internal.rows(user_key int, device_key int, parts api_internal.part[])
RETURNS SETOF api_internal.bucket_row
LANGUAGE plpgsql STABLE
-- Rollups have few chunks and are planned once per session, since planning costs more than reading a user's rows.
SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
  wanted_user   CONSTANT int := user_key;
  wanted_device CONSTANT int := device_key;
  sources CONSTANT text[] := (SELECT array_agg(DISTINCT p.source) FROM unnest(parts) AS p);
  part    api_internal.part;
BEGIN
  IF wanted_device IS NOT NULL THEN
    RETURN QUERY SELECT * FROM api_internal.device_rows(wanted_user, wanted_device, parts);
    RETURN;
  END IF;
  -- One index lookup for each part, which OFFSET enforces also in a cached plan that misjudges the number of parts.
  IF '1d' = ANY (sources) THEN
    RETURN QUERY
      SELECT r.bucket, r.first_ts, r.last_ts, r.heart_rate_sum, r.heart_rate_count::bigint, r.heart_rate_min,
             r.heart_rate_max, r.calories, r.steps, r.heart_rate_device
        FROM unnest(parts) AS p
       CROSS JOIN LATERAL (SELECT r.* FROM rollup.user_1d AS r
                            WHERE r.user_key = wanted_user AND r.bucket >= p.part_start AND r.bucket < p.part_end OFFSET 0) AS r
       WHERE p.source = '1d';
  END IF;
  IF '1h' = ANY (sources) THEN
    RETURN QUERY
      SELECT r.bucket, r.first_ts, r.last_ts, r.heart_rate_sum, r.heart_rate_count::bigint, r.heart_rate_min,
             r.heart_rate_max, r.calories, r.steps, r.heart_rate_device
        FROM unnest(parts) AS p
       CROSS JOIN LATERAL (SELECT r.* FROM rollup.user_1h AS r
                            WHERE r.user_key = wanted_user AND r.bucket >= p.part_start AND r.bucket < p.part_end OFFSET 0) AS r
       WHERE p.source = '1h' AND p.midnight IS NULL;
  END IF;
  IF '15m' = ANY (sources) THEN
    RETURN QUERY
      SELECT r.bucket, r.first_ts, r.last_ts, r.heart_rate_sum, r.heart_rate_count::bigint, r.heart_rate_min,
             r.heart_rate_max, r.calories, r.steps, r.heart_rate_device
        FROM unnest(parts) AS p
       CROSS JOIN LATERAL (SELECT r.* FROM rollup.user_15m AS r
                            WHERE r.user_key = wanted_user AND r.bucket >= p.part_start AND r.bucket < p.part_end OFFSET 0) AS r
       WHERE p.source = '15m' AND p.midnight IS NULL;
  END IF;
  FOREACH part IN ARRAY coalesce(parts, '{}') LOOP
    IF part.midnight IS NOT NULL THEN
      RETURN QUERY SELECT * FROM api_internal.local_days(wanted_user, part);
    END IF;
  END LOOP;
  IF 'raw' = ANY (sources) THEN
    RETURN QUERY
      SELECT *
        FROM api_internal.minutes(wanted_user, (SELECT range_agg(tstzrange(p.part_start, p.part_end)) FROM unnest(parts) AS p
                                        WHERE p.source = 'raw'));
  END IF;
END
$$;

COMMENT ON FUNCTION api_internal.rows IS
  'Rows of any resolution that together cover a user''s readings in the given parts; a device_key selects one device. Rows of a part with a midnight may be local days, by their midnight, without first_ts and last_ts.';
