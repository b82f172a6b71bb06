-- The start of a local day, week or month.
-- One expression without a SELECT, so that it is inlined.
CREATE FUNCTION api_internal.local_start(local timestamp, tz text) RETURNS timestamptz
LANGUAGE sql STABLE
-- Where midnight occurs twice, the first one counts: three hours earlier the local time is unambiguous.
RETURN CASE WHEN (((local - INTERVAL '3 hours') AT TIME ZONE tz) + INTERVAL '3 hours') AT TIME ZONE tz = local
            THEN ((local - INTERVAL '3 hours') AT TIME ZONE tz) + INTERVAL '3 hours'
            ELSE local AT TIME ZONE tz END;

COMMENT ON FUNCTION api_internal.local_start IS
  'The first moment at which a clock in the time zone shows this local time, or the moment of the jump that skips it.';
