-- What was measured at a moment of metrics that are sums, planned separately.
CREATE FUNCTION api_internal.amounts(user_key int, metric_keys int[], ranges tstzmultirange, only_device int DEFAULT NULL)
RETURNS TABLE (metric_key int, device_key int, ts timestamptz, amount bigint)
LANGUAGE plpgsql STABLE
SET datestyle = 'ISO'
AS $$
DECLARE
  source CONSTANT text := CASE WHEN metric_keys && ARRAY[2, 3]
    THEN 'SELECT m.metric_key, r.device_key, r.ts, m.amount
            FROM core.reading AS r
           CROSS JOIN LATERAL (VALUES (2, r.steps * 1000000::bigint), (3, round(r.calories * 1e6)::bigint)) AS m (metric_key, amount)
           WHERE m.amount IS NOT NULL AND m.metric_key = ANY ($1)'
    ELSE 'SELECT r.metric_key, r.device_key, r.ts, round(r.value * 1e6)::bigint FROM core.sample AS r WHERE r.metric_key = ANY ($1)' END;
  statement text;
BEGIN
  -- Literal bounds let the planner exclude chunks. Queries are small, since planning dominates the cost.
  FOR statement IN
    SELECT string_agg(source || format(' AND r.user_key = %L AND r.ts >= %L AND r.ts < %L%s', user_key, lower(r.range), upper(r.range),
             CASE WHEN only_device IS NULL THEN '' ELSE format(' AND r.device_key = %L', only_device) END), ' UNION ALL ')
      FROM unnest(ranges) WITH ORDINALITY AS r (range, number)
     GROUP BY (r.number - 1) / 10
  LOOP
    RETURN QUERY EXECUTE statement USING metric_keys;
  END LOOP;
END
$$;

COMMENT ON FUNCTION api_internal.amounts IS
  'A user''s values at moments in half-open ranges, in whole millionths, of metrics that are sums: of steps and calories from readings, else, as metrics never mix both, from samples; of one device, or of all if only_device is null.';
