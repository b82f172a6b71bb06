-- A user's minutes by device, planned separately.
CREATE FUNCTION api_internal.device_minutes(user_key int, ranges tstzmultirange, device_key int DEFAULT NULL)
RETURNS SETOF api_internal.raw_rows
LANGUAGE plpgsql STABLE
SET datestyle = 'ISO'
-- The planner underestimates the readings of a strap's day, and would sort all of them.
SET enable_sort = off
AS $$
DECLARE
  source    CONSTANT text := api_internal.raw_source(lower(ranges));
  statement text;
BEGIN
  -- Literal bounds let the planner exclude chunks. Planning dominates the cost, so queries are small: many ranges, as from
  -- stale days, are split into queries of ten. Long ranges are aggregated where they are read, since a strap has sixty
  -- readings a minute.
  FOR statement IN
    SELECT string_agg(format(
             CASE WHEN upper(r.range) - lower(r.range) <= INTERVAL '1 hour'
                  THEN 'SELECT * FROM api_internal.%I WHERE user_key = %L AND bucket >= %L AND bucket < %L%s'
                  ELSE 'SELECT user_key, device_key, public.time_bucket(INTERVAL ''1 minute'', bucket), min(first_ts), '
                       'max(last_ts), api_internal.total(heart_rate_sum), sum(heart_rate_count)::int, min(heart_rate_min), '
                       'max(heart_rate_max), api_internal.total(calories), api_internal.total(steps) '
                       'FROM api_internal.%I WHERE user_key = %L AND bucket >= %L AND bucket < %L%s GROUP BY 1, 2, 3' END,
             source, user_key, lower(r.range), upper(r.range),
             CASE WHEN device_key IS NULL THEN '' ELSE format(' AND device_key = %L', device_key) END), ' UNION ALL ')
      FROM unnest(ranges) WITH ORDINALITY AS r (range, number)
     GROUP BY (r.number - 1) / 10
  LOOP
    RETURN QUERY EXECUTE statement;
  END LOOP;
END
$$;

COMMENT ON FUNCTION api_internal.device_minutes IS
  'A user''s raw rows in half-open ranges, of one device, or of all if device_key is null; added up by minute and device in ranges of more than an hour.';
