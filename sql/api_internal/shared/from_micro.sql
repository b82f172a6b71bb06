-- Sums are kept in whole millionths, so that they are exact in any order; one division turns one into a number.
CREATE FUNCTION api_internal.from_micro(micro bigint, readings bigint DEFAULT 1) RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN micro / (readings * 1e6::double precision);

COMMENT ON FUNCTION api_internal.from_micro IS
  'A sum of millionths as a number, or its average over so many readings: one correctly rounded division.';
