-- Sums are stored in whole millionths, so that they are exact in any order; one division converts a sum.
CREATE FUNCTION api_internal.from_micro(micro bigint, readings bigint DEFAULT 1) RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN micro / (readings * 1e6::double precision);

COMMENT ON FUNCTION api_internal.from_micro IS
  'A sum of millionths as a number, or divided by a count as an average, by one correctly rounded division.';
