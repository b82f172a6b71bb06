-- Moments between which all readings belong to one local day, week or month.
CREATE FUNCTION api.local_borders(unit text, tz text, range_start timestamptz, range_end timestamptz)
RETURNS timestamptz[]
LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN (
    SELECT array_agg(DISTINCT b.border)
      FROM (SELECT date_trunc(unit, l.local AT TIME ZONE tz, tz) AS border
              FROM generate_series(date_trunc(unit, range_start AT TIME ZONE tz),
                                   (range_end AT TIME ZONE tz) + ('1 ' || unit)::interval,
                                   ('1 ' || unit)::interval) AS l (local)
            UNION ALL
            -- When the clocks are changed a local hour may come twice: there every bucket stands alone.
            SELECT generate_series(h.moment - INTERVAL '24 hours', h.moment + INTERVAL '24 hours', INTERVAL '15 minutes')
              FROM api.clock_changes(tz, range_start, range_end) AS h (moment)) AS b);
END
$$;

COMMENT ON FUNCTION api.local_borders IS
  'Ascending moments: what lies between two of them belongs to one local day, week or month.';
