-- The coarsest rollup whose buckets never straddle two of the requested buckets.
CREATE FUNCTION api_internal.coarsest_level(bucket text, tz text, range_start timestamptz, range_end timestamptz) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
  step     int;
  off_grid boolean;
BEGIN
  IF bucket NOT IN ('1d', '1w', '1mo') THEN
    RETURN CASE WHEN bucket IN ('15m', '1h') THEN bucket ELSE 'raw' END;
  ELSIF upper(tz) IN ('UTC', 'GMT', 'ETC/UTC', 'Z') THEN
    RETURN '1d';
  END IF;
  -- Local midnights off the hour come from offsets of 30 or 45 minutes, and from local mean time before zones were introduced.
  SELECT CASE WHEN bool_and(o.seconds % 3600 = 0) THEN 3600 WHEN bool_and(o.seconds % 900 = 0) THEN 900 END
    INTO step
    FROM generate_series(range_start - INTERVAL '192 hours', range_end + INTERVAL '192 hours', INTERVAL '168 hours') AS s (moment),
         LATERAL (SELECT date_part('epoch', (s.moment AT TIME ZONE tz) - (s.moment AT TIME ZONE 'UTC'))::int) AS o (seconds);
  -- Some zones changed their clocks a minute after midnight: a quarter that straddles such a change cannot be used.
  SELECT coalesce(bool_or((q.moment - INTERVAL '1 microsecond') AT TIME ZONE tz - (q.moment - INTERVAL '15 minutes') AT TIME ZONE tz
                          > INTERVAL '15 minutes'
                       OR (q.moment - INTERVAL '1 microsecond') AT TIME ZONE tz < (q.moment - INTERVAL '15 minutes') AT TIME ZONE tz),
                  false)
    INTO off_grid
    FROM api_internal.clock_changes(tz, range_start, range_end) AS h (moment)
   CROSS JOIN LATERAL generate_series(h.moment + INTERVAL '15 minutes', h.moment + INTERVAL '1 hour', INTERVAL '15 minutes')
                   AS q (moment);
  IF off_grid THEN
    RETURN 'raw';
  END IF;
  RETURN CASE step WHEN 3600 THEN '1h' WHEN 900 THEN '15m' ELSE 'raw' END;
END
$$;

COMMENT ON FUNCTION api_internal.coarsest_level IS
  'The coarsest rollup (1d, 1h, 15m, or raw for none) that composes buckets of the given width: for local days one that fits every offset of the time zone in the range.';
