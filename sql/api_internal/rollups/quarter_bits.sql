-- The quarters of an hour of a day, as bits.
CREATE FUNCTION api_internal.quarter_bits(day timestamptz, from_ts timestamptz, to_ts timestamptz) RETURNS bit(96)
LANGUAGE sql IMMUTABLE
RETURN ((~ B'0'::bit(96)) >> (extract(epoch FROM greatest(from_ts, day) - day) / 900)::int)
     & ((~ B'0'::bit(96)) << (96 - (extract(epoch FROM least(to_ts, day + INTERVAL '24 hours') - day) / 900)::int));

COMMENT ON FUNCTION api_internal.quarter_bits IS
  'The quarters of a day (UTC) in a half-open range, as the bits of core.stale_day; the ends of the range are multiples of 15 minutes, and the range overlaps the day.';
