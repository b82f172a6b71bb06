-- The ranges of quarters that are given as bits.
CREATE FUNCTION api_internal.quarter_ranges(day timestamptz, quarters bit(96)) RETURNS tstzmultirange
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  IF quarters = ~ B'0'::bit(96) THEN
    RETURN tstzmultirange(tstzrange(day, day + INTERVAL '24 hours'));
  END IF;
  RETURN (SELECT range_agg(tstzrange(day + q * INTERVAL '15 minutes', day + (q + 1) * INTERVAL '15 minutes'))
            FROM generate_series(0, 95) AS q
           WHERE get_bit(quarters, q) = 1);
END
$$;

COMMENT ON FUNCTION api_internal.quarter_ranges IS
  'The quarters of a day whose bits are set, as half-open ranges; null if no bit is set.';
