-- The quarters of an hour of a day, as bits.
CREATE FUNCTION api_internal.quarter_bits(day timestamptz, from_ts timestamptz, to_ts timestamptz) RETURNS bit(96)
LANGUAGE sql IMMUTABLE
RETURN ((~ B'0'::bit(96)) >> (extract(epoch FROM greatest(from_ts, day) - day) / 900)::int)
     & ((~ B'0'::bit(96)) << (96 - (extract(epoch FROM least(to_ts, day + INTERVAL '24 hours') - day) / 900)::int));

COMMENT ON FUNCTION api_internal.quarter_bits IS
  'Those quarters of a day (UTC) that lie in a half-open range whose ends are multiples of 15 minutes and that touches the day, as the bits of core.stale_day.';
