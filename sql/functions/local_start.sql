-- The moment at which a local day, week or month begins.
CREATE FUNCTION api.local_start(local timestamp, tz text) RETURNS timestamptz
LANGUAGE sql STABLE AS $$
  -- Where midnight comes twice, the first one counts: three hours before it, there is only one reading of the clock.
  SELECT CASE WHEN (c.moment AT TIME ZONE tz) = local THEN c.moment ELSE local AT TIME ZONE tz END
    FROM (SELECT ((local - INTERVAL '3 hours') AT TIME ZONE tz) + INTERVAL '3 hours') AS c (moment)
$$;

COMMENT ON FUNCTION api.local_start IS
  'The first moment that a clock in the time zone shows this, or what it jumps to where it never does.';
