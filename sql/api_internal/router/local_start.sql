-- The moment at which a local day, week or month begins.
-- One expression without a SELECT: so it is inlined.
CREATE FUNCTION api_internal.local_start(local timestamp, tz text) RETURNS timestamptz
LANGUAGE sql STABLE
-- Where midnight comes twice, the first one counts: three hours before it, there is only one reading of the clock.
RETURN CASE WHEN (((local - INTERVAL '3 hours') AT TIME ZONE tz) + INTERVAL '3 hours') AT TIME ZONE tz = local
            THEN ((local - INTERVAL '3 hours') AT TIME ZONE tz) + INTERVAL '3 hours'
            ELSE local AT TIME ZONE tz END;

COMMENT ON FUNCTION api_internal.local_start IS
  'The first moment that a clock in the time zone shows this, or what it jumps to where it never does.';
