-- The timestamps that a reading or an event may have.
CREATE FUNCTION api_internal.timestamp_bounds(OUT oldest timestamptz, OUT newest timestamptz)
LANGUAGE plpgsql STABLE AS $$
BEGIN
  oldest := greatest(api_internal.setting('oldest_timestamp')::timestamptz, now() - api_internal.setting('raw_retention')::interval,
                     (SELECT h.raw_from FROM core.horizon AS h));
  newest := now() + api_internal.setting('future_tolerance')::interval;
END
$$;

COMMENT ON FUNCTION api_internal.timestamp_bounds IS
  'The earliest and latest timestamps accepted now: from oldest_timestamp, raw_retention and the end of dropped raw readings, to future_tolerance ahead of now.';
