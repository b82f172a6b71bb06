-- The samples of a user that count, in every part of a range.
CREATE FUNCTION api_internal.sample_part_rows(user_key int, metric_keys int[], device_key int, parts api_internal.part[], width interval)
RETURNS SETOF api_internal.sample_row
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
  -- One index lookup for each metric and part, which OFFSET enforces also in a cached plan that misjudges their number.
  IF '1d' = ANY (sources) THEN
    RETURN QUERY
      SELECT r.metric_key, coalesce(wanted_device, r.best_device), r.bucket, r.samples::bigint, r.total, r.lowest, r.highest, r.first_ts,
             r.last_ts, r.last_value
        FROM unnest(parts) AS p
       CROSS JOIN unnest(metric_keys) AS m (metric_key)
       CROSS JOIN LATERAL (SELECT r.* FROM rollup.sample_1d AS r
                            WHERE r.user_key = wanted_user AND r.metric_key = m.metric_key AND r.bucket >= p.part_start AND r.bucket < p.part_end
                              -- A bucket in which no other device measured has only the row of the user.
                              AND (wanted_device IS NULL OR r.sole_device = wanted_device)
                           OFFSET 0) AS r
       WHERE p.source = '1d';
  END IF;
  IF '1h' = ANY (sources) THEN
    RETURN QUERY
      SELECT r.metric_key, coalesce(wanted_device, r.best_device), r.bucket, r.samples::bigint, r.total, r.lowest, r.highest, r.first_ts,
             r.last_ts, r.last_value
        FROM unnest(parts) AS p
       CROSS JOIN unnest(metric_keys) AS m (metric_key)
       CROSS JOIN LATERAL (SELECT r.* FROM rollup.sample_1h AS r
                            WHERE r.user_key = wanted_user AND r.metric_key = m.metric_key AND r.bucket >= p.part_start AND r.bucket < p.part_end
                              AND (wanted_device IS NULL OR r.sole_device = wanted_device)
                           OFFSET 0) AS r
       WHERE p.source = '1h' AND p.midnight IS NULL;
  END IF;
  IF '15m' = ANY (sources) THEN
    RETURN QUERY
      SELECT r.metric_key, coalesce(wanted_device, r.best_device), r.bucket, r.samples::bigint, r.total, r.lowest, r.highest, r.first_ts,
             r.last_ts, r.last_value
        FROM unnest(parts) AS p
       CROSS JOIN unnest(metric_keys) AS m (metric_key)
       CROSS JOIN LATERAL (SELECT r.* FROM rollup.sample_15m AS r
                            WHERE r.user_key = wanted_user AND r.metric_key = m.metric_key AND r.bucket >= p.part_start AND r.bucket < p.part_end
                              AND (wanted_device IS NULL OR r.sole_device = wanted_device)
                           OFFSET 0) AS r
       WHERE p.source = '15m' AND p.midnight IS NULL;
  END IF;
  IF wanted_device IS NOT NULL THEN
    RETURN QUERY SELECT * FROM api_internal.sample_meetings(wanted_user, metric_keys, wanted_device, parts);
  END IF;
  FOREACH part IN ARRAY coalesce(parts, '{}') LOOP
    IF part.midnight IS NOT NULL THEN
      RETURN QUERY SELECT * FROM api_internal.sample_local_days(wanted_user, metric_keys, part);
    END IF;
  END LOOP;
  IF 'raw' = ANY (sources) THEN
    RETURN QUERY
      SELECT *
        FROM api_internal.raw_sample_rows(wanted_user, metric_keys, wanted_device,
                                          (SELECT range_agg(tstzrange(p.part_start, p.part_end)) FROM unnest(parts) AS p
                                            WHERE p.source = 'raw'), width);
  END IF;
END
$$;

COMMENT ON FUNCTION api_internal.sample_part_rows IS
  'Rows of any resolution that together cover a user''s samples of metrics in the given parts, of several devices those of the best one, minute by minute; what is read raw by bucket of a width of whole minutes, or by minute. A device_key selects one device; the parts then have no midnight. Rows of a part with a midnight are local days, by their midnight.';
