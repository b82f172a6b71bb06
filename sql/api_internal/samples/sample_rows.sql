-- The samples of a user that count, by bucket: each minute and metric takes those of the best device that reported it.
CREATE FUNCTION api_internal.sample_rows(
  user_key int, metric_keys int[], range_start timestamptz, range_end timestamptz, device_key int, width interval, tz text DEFAULT NULL
) RETURNS SETOF api_internal.sample_row
LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
  wanted_user CONSTANT int := user_key;
  coarsest    CONSTANT text := api_internal.sample_level(width);
  parts       api_internal.part[];
BEGIN
  IF tz IS NOT NULL THEN
    -- No sample lies outside these bounds, so no time zone rules are needed for them.
    range_start := greatest(range_start, api_internal.setting('oldest_timestamp')::timestamptz);
    range_end := least(range_end, (SELECT b.newest + INTERVAL '24 hours' FROM api_internal.timestamp_bounds() AS b));
  END IF;
  IF range_start >= range_end OR range_start IS NULL OR range_end IS NULL
     OR NOT EXISTS (SELECT FROM core.sample_series AS s WHERE s.user_key = wanted_user AND s.metric_key = ANY (metric_keys)) THEN
    RETURN;
  END IF;
  SELECT array_agg((p.source, p.part_start, p.part_end, NULL)::api_internal.part) INTO parts
    FROM api_internal.route_range(wanted_user, range_start, range_end, coarsest, true) AS p;
  IF tz IS NOT NULL AND coarsest IN ('1h', '15m') AND device_key IS NULL THEN
    SELECT array_agg((p.source, greatest(p.part_start, s.span_start), least(p.part_end, s.span_end), s.midnight)::api_internal.part)
      INTO parts
      FROM unnest(parts) AS p
      LEFT JOIN api_internal.local_spans(tz, range_start, range_end) AS s
        ON p.source = coarsest AND s.span_start < p.part_end AND s.span_end > p.part_start;
  END IF;
  RETURN QUERY
    SELECT r.metric_key, r.sole_device, CASE WHEN tz IS NULL THEN public.time_bucket(width, r.bucket) ELSE r.bucket END, r.samples, r.total,
           r.lowest, r.highest, r.first_ts, r.last_ts, r.last_value
      FROM api_internal.sample_part_rows(wanted_user, metric_keys, device_key, parts, least(width, INTERVAL '15 minutes')) AS r;
END
$$;

COMMENT ON FUNCTION api_internal.sample_rows IS
  'A user''s samples of metrics in a half-open range, by metric and bucket of a width of whole minutes; a bucket may have several rows. With a time zone, the rows of a width of 15 minutes or an hour are within local days: some by midnight. For each minute and metric only the best device counts: the smallest priority, then the one registered first; samples outside the range are ignored. From rollups where they are up to date and the width allows, else from samples. Totals are in whole millionths of the metric''s unit, so that they are exact in any order. sole_device gave all samples of the row, null for several. A device_key selects one device.';
