-- The samples of one device of a user, in buckets in which other devices measured the same metric.
CREATE FUNCTION api_internal.sample_meetings(user_key int, metric_keys int[], device_key int, parts api_internal.part[])
RETURNS SETOF api_internal.sample_row
LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
  wanted_user   CONSTANT int := user_key;
  wanted_device CONSTANT int := device_key;
BEGIN
  RETURN QUERY
    SELECT m.metric_key, wanted_device, r.bucket, r.samples::bigint, r.total, r.lowest, r.highest, r.first_ts, r.last_ts, r.last_value
      FROM unnest(parts) AS p
     CROSS JOIN unnest(metric_keys) AS m (metric_key)
     CROSS JOIN LATERAL (
       SELECT r.* FROM rollup.sample_device_1d AS r
        WHERE p.source = '1d' AND r.user_key = wanted_user AND r.metric_key = m.metric_key AND r.device_key = wanted_device
          AND r.bucket >= p.part_start AND r.bucket < p.part_end
       UNION ALL
       SELECT r.* FROM rollup.sample_device_1h AS r
        WHERE p.source = '1h' AND r.user_key = wanted_user AND r.metric_key = m.metric_key AND r.device_key = wanted_device
          AND r.bucket >= p.part_start AND r.bucket < p.part_end
       UNION ALL
       SELECT r.* FROM rollup.sample_device_15m AS r
        WHERE p.source = '15m' AND r.user_key = wanted_user AND r.metric_key = m.metric_key AND r.device_key = wanted_device
          AND r.bucket >= p.part_start AND r.bucket < p.part_end
       OFFSET 0) AS r;
END
$$;

COMMENT ON FUNCTION api_internal.sample_meetings IS
  'The rows of the rollups of devices that belong to one device of a user, in the given parts: those in which it met others. Rollups of users have the others.';
