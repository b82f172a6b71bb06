-- When a time zone's clocks are changed.
CREATE FUNCTION api_internal.clock_changes(tz text, range_start timestamptz, range_end timestamptz) RETURNS SETOF timestamptz
LANGUAGE plpgsql STABLE AS $$
BEGIN
  -- A zone's offset does not change twice within a week: weeks at whose ends it differs, then the hours of those.
  RETURN QUERY
    SELECT h.moment
      FROM generate_series(public.time_bucket(INTERVAL '168 hours', range_start) - INTERVAL '168 hours',
                           range_end + INTERVAL '168 hours', INTERVAL '168 hours') AS w (moment)
     CROSS JOIN LATERAL generate_series(w.moment, w.moment + INTERVAL '167 hours', INTERVAL '1 hour') AS h (moment)
     WHERE (w.moment AT TIME ZONE tz) + INTERVAL '168 hours' <> (w.moment + INTERVAL '168 hours') AT TIME ZONE tz
       AND (h.moment AT TIME ZONE tz) + INTERVAL '1 hour' <> (h.moment + INTERVAL '1 hour') AT TIME ZONE tz;
END
$$;

COMMENT ON FUNCTION api_internal.clock_changes IS
  'The hours, by the moment at which they begin (UTC), at the end of which a clock in the time zone shows other than an hour more; those in the range and up to two weeks beside it.';
