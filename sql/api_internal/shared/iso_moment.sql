-- A timestamp in the format of the service's answers.
CREATE FUNCTION api_internal.iso_moment(moment timestamptz) RETURNS text
LANGUAGE sql STABLE
RETURN rtrim(rtrim(to_char(moment AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'), '0'), '.') || 'Z';

COMMENT ON FUNCTION api_internal.iso_moment IS
  'ISO 8601 in UTC with Z: whole seconds without a fraction, otherwise microseconds without trailing zeros.';
