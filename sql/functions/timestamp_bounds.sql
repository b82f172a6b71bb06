-- The moments at which a reading or an event is accepted.
CREATE FUNCTION api.timestamp_bounds(OUT oldest timestamptz, OUT newest timestamptz)
LANGUAGE sql STABLE AS $$
  SELECT greatest(api.setting('oldest_timestamp')::timestamptz, now() - api.setting('raw_retention')::interval),
         now() + api.setting('future_tolerance')::interval
$$;

COMMENT ON FUNCTION api.timestamp_bounds IS
  'The earliest and the latest timestamp that is accepted now: from oldest_timestamp and raw_retention to future_tolerance ahead.';
