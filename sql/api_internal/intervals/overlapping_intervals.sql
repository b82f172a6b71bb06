-- A user's intervals that overlap ranges, planned separately.
CREATE FUNCTION api_internal.overlapping_intervals(user_key int, metric_keys int[], ranges tstzmultirange, device_key int DEFAULT NULL)
RETURNS SETOF core.interval
LANGUAGE plpgsql STABLE
SET datestyle = 'ISO'
AS $$
DECLARE
  statement text;
BEGIN
  -- Literal bounds let the planner exclude chunks. Ranges less than a day apart are read as one: an interval may overlap both.
  FOR statement IN
    SELECT string_agg(format(
             'SELECT * FROM core.interval WHERE user_key = %L AND metric_key = ANY ($1) AND ts > %L AND ts < %L AND ends_at > %L%s',
             user_key, lower(n.near) - INTERVAL '24 hours', upper(n.near) - INTERVAL '24 hours', lower(n.near),
             CASE WHEN device_key IS NULL THEN '' ELSE format(' AND device_key = %L', device_key) END), ' UNION ALL ')
      FROM (SELECT range_agg(tstzrange(lower(r.range), upper(r.range) + INTERVAL '24 hours')) AS ranges FROM unnest(ranges) AS r (range)) AS w
     CROSS JOIN LATERAL unnest(w.ranges) WITH ORDINALITY AS n (near, number)
     GROUP BY (n.number - 1) / 10
  LOOP
    RETURN QUERY EXECUTE format('SELECT * FROM (%s) AS i WHERE tstzrange(i.ts, i.ends_at) && $2', statement) USING metric_keys, ranges;
  END LOOP;
END
$$;

COMMENT ON FUNCTION api_internal.overlapping_intervals IS
  'A user''s intervals of metrics that overlap half-open ranges, each once, of one device, or of all if device_key is null.';
