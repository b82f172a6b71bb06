-- The samples of a user that count, by bucket, where no rollup answers.
CREATE FUNCTION api_internal.raw_sample_rows(
  user_key int, metric_keys int[], device_key int, ranges tstzmultirange, width interval
) RETURNS SETOF api_internal.sample_row
LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
  -- Where samples and intervals are dropped, or some of the intervals that began before, rollups alone tell what was measured.
  kept  CONSTANT tstzmultirange := ranges * (SELECT tstzmultirange(tstzrange(h.samples_from, NULL)) FROM core.horizon AS h);
  asked record;
BEGIN
  -- A statement for each chunk of 28 days that ranges begin in: many ranges, as from stale days, lie in few.
  FOR asked IN
    SELECT array_agg(s.user_key) AS user_keys, array_agg(s.metric_key) AS metric_keys, array_agg(s.device_key) AS device_keys,
           array_agg(r.range_start) AS starts, array_agg(r.range_end) AS ends
      FROM core.sample_series AS s
     CROSS JOIN (SELECT lower(u) AS range_start, upper(u) AS range_end FROM unnest(kept) AS u) AS r
     WHERE s.user_key = raw_sample_rows.user_key AND s.metric_key = ANY (raw_sample_rows.metric_keys)
       AND (raw_sample_rows.device_key IS NULL OR s.device_key = raw_sample_rows.device_key)
     GROUP BY public.time_bucket(INTERVAL '672 hours', r.range_start, timestamptz '1970-01-01Z')
  LOOP
    RETURN QUERY
      SELECT b.metric_key, b.best_device, b.bucket, b.samples, b.total, b.lowest, b.highest, b.first_ts, b.last_ts, b.last_value
        FROM api_internal.sample_buckets(asked.user_keys, asked.metric_keys, asked.device_keys, asked.starts, asked.ends, width, false) AS b;
  END LOOP;
END
$$;

COMMENT ON FUNCTION api_internal.raw_sample_rows IS
  'The rows that api_internal.sample_part_rows returns where samples have to be read: a user''s metrics in half-open ranges, by bucket of a width of whole minutes, or by minute where devices could meet. Nothing before samples_from of core.horizon. A device_key selects one device.';
