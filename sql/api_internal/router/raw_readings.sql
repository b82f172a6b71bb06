-- Raw readings, planned separately.
CREATE FUNCTION api_internal.raw_readings(user_key int, ranges tstzmultirange, device_key int DEFAULT NULL)
RETURNS SETOF api_internal.raw_rows
LANGUAGE plpgsql STABLE
SET datestyle = 'ISO'
AS $$
DECLARE
  source    CONSTANT text := api_internal.raw_source(lower(ranges));
  statement text;
BEGIN
  -- Literal bounds let the planner exclude chunks. Planning dominates the cost, so queries are small: many ranges, as from
  -- stale days, are split into queries of ten.
  FOR statement IN
    SELECT string_agg(format('SELECT * FROM api_internal.%I WHERE user_key = %L AND bucket >= %L AND bucket < %L%s',
                             source, user_key, lower(r.range), upper(r.range),
                             CASE WHEN device_key IS NULL THEN '' ELSE format(' AND device_key = %L', device_key) END),
                      ' UNION ALL ')
      FROM unnest(ranges) WITH ORDINALITY AS r (range, number)
     GROUP BY (r.number - 1) / 10
  LOOP
    RETURN QUERY EXECUTE statement;
  END LOOP;
END
$$;

COMMENT ON FUNCTION api_internal.raw_readings IS
  'A user''s rows of api_internal.raw_rows in half-open ranges, of one device, or of all if device_key is null.';
