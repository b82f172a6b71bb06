-- The resolutions that answer for metrics other than those of readings.
CREATE FUNCTION api_internal.sample_sources(
  tenant_id text, user_id text, range_start timestamptz, range_end timestamptz, metrics text[], device_id text,
  bucket text DEFAULT NULL, tz text DEFAULT NULL
) RETURNS text[]
LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
DECLARE
  wanted_user   CONSTANT int := api_internal.find_user(tenant_id, user_id);
  wanted_device CONSTANT int := CASE WHEN sample_sources.device_id IS NOT NULL
                                     THEN api_internal.find_device(tenant_id, sample_sources.device_id) END;
  unit    CONSTANT text := CASE bucket WHEN '1d' THEN 'day' WHEN '1w' THEN 'week' WHEN '1mo' THEN 'month' END;
  zone    text;
  sources text[];
BEGIN
  IF bucket = 'raw' THEN
    RETURN ARRAY['raw'];
  END IF;
  IF unit IS NOT NULL THEN
    zone := api.time_zone(tz);
    -- As in sample_rows.
    range_start := greatest(range_start, api_internal.setting('oldest_timestamp')::timestamptz);
    range_end := least(range_end, (SELECT b.newest + INTERVAL '24 hours' FROM api_internal.timestamp_bounds() AS b));
  END IF;
  sources := ARRAY(SELECT DISTINCT p.source
                     FROM api_internal.route_range(
                            wanted_user, range_start, range_end,
                            CASE WHEN bucket IS NULL THEN '1d'
                                 ELSE api_internal.sample_level(api_internal.sample_width(bucket, zone, range_start, range_end)) END,
                            true) AS p
                    ORDER BY 1);
  -- Daily totals count in a whole range, and in a bucket of a calendar in which they lie as a whole.
  IF (bucket IS NULL OR unit IS NOT NULL)
     AND EXISTS (SELECT FROM core.interval_series AS i WHERE i.user_key = wanted_user AND i.kind = 2 AND i.metric_key > 3)
     AND EXISTS (SELECT
                   FROM api_internal.counted_totals(
                          wanted_user,
                          ARRAY(SELECT m.metric_key
                                  FROM api_internal.find_metrics(tenant_id, coalesce(metrics, api_internal.other_metrics(tenant_id, user_id))) AS m),
                          range_start, range_end, wanted_device) AS t
                  WHERE unit IS NULL
                     OR date_trunc(unit, t.ts AT TIME ZONE zone) = date_trunc(unit, (t.ends_at - INTERVAL '1 microsecond') AT TIME ZONE zone)) THEN
    sources := array_append(sources, 'daily_total');
  END IF;
  RETURN sources;
END
$$;

COMMENT ON FUNCTION api_internal.sample_sources IS
  'The resolutions that answer for a user''s values of metrics other than heart_rate, steps and calories in a half-open range, of all where metrics is null: for one summary, or for buckets; and daily_total where one counts. As api.summary and api.series say of readings.';
