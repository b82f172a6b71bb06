-- The whole hours of quarters that are given as bits.
CREATE FUNCTION api_internal.hour_bits(quarters bit(96)) RETURNS bit(96)
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  -- The first quarter of each hour of which a bit is set.
  hours CONSTANT bit(96) := (quarters | (quarters << 1) | (quarters << 2) | (quarters << 3)) & repeat('1000', 24)::bit(96);
BEGIN
  RETURN hours | (hours >> 1) | (hours >> 2) | (hours >> 3);
END
$$;

COMMENT ON FUNCTION api_internal.hour_bits IS
  'The quarters of a day, as the bits of core.stale_day, of every hour of which a bit is set.';
