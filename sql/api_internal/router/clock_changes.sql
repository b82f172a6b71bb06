-- The clock changes of a time zone.
CREATE FUNCTION api_internal.clock_changes(tz text, range_start timestamptz, range_end timestamptz) RETURNS SETOF timestamptz
LANGUAGE plpgsql STABLE AS $$
BEGIN
  -- The offset of a zone changes at most once a week: finds the weeks whose ends have different offsets, then the hours.
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
  'The starts (UTC) of the hours during which the offset of the time zone changes, within the range and up to two weeks beyond its ends.';
