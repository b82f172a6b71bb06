-- Raw readings in a plan of their own.
CREATE FUNCTION api.raw_readings(user_key int, device_key int, range_start timestamptz, range_end timestamptz)
RETURNS TABLE (ts timestamptz, heart_rate double precision, calories double precision, steps int, device int)
LANGUAGE plpgsql STABLE
SET datestyle = 'ISO'
AS $$
BEGIN
  -- Literal bounds, so that chunks are excluded when the query is planned; it is kept small, since planning is the cost.
  RETURN QUERY EXECUTE format(
    'SELECT ts, heart_rate, calories, steps, device_key FROM core.reading WHERE user_key = %L AND ts >= %L AND ts < %L%s',
    user_key, range_start, range_end,
    CASE WHEN device_key IS NULL THEN '' ELSE format(' AND device_key = %L', device_key) END);
END
$$;

COMMENT ON FUNCTION api.raw_readings IS
  'A user''s readings in range_start <= t < range_end, of one device or, where device_key is null, of all.';
