-- The text of a query for what is stored of a user over intervals.
CREATE FUNCTION api_internal.select_intervals(wanted_user int, wanted_device int, range_start timestamptz, range_end timestamptz) RETURNS text
LANGUAGE sql STABLE
-- The text contains timestamps, and only the ISO style is unambiguous.
SET datestyle = 'ISO'
AS $$
  -- Literal bounds let the planner exclude chunks.
  SELECT string_agg(
           format('SELECT t.ts, t.ends_at, t.device_key, %s AS kind, %s AS metric_key, %s AS value
                     FROM core.%I AS t
                    WHERE t.user_key = %L AND t.ts >= %L AND t.ts < %L%s',
                  p.kind, p.metric, p.value, p.name, wanted_user, range_start, range_end,
                  CASE WHEN wanted_device IS NULL THEN '' ELSE format(' AND t.device_key = %L', wanted_device) END), ' UNION ALL ')
    FROM (VALUES (0, 'interval', 't.metric_key', 't.value'), (1, 'worn_window', '0', 'NULL::double precision'),
                 (2, 'daily_total', 't.metric_key', 't.value')) AS p (kind, name, metric, value)
$$;

COMMENT ON FUNCTION api_internal.select_intervals IS
  'The text of a query for the intervals (kind 0), worn windows (1) and daily totals (2) of a user, of a device or, where it is null, of all, that begin in a half-open range, which must be finite.';
