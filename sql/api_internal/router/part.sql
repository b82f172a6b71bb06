-- A part of a range, and the resolution that answers for it.
CREATE TYPE api_internal.part AS (
  source text, part_start timestamptz, part_end timestamptz, midnight timestamptz
);

COMMENT ON TYPE api_internal.part IS
  'A half-open part of a range that one resolution answers for (1d, 1h, 15m or raw). With a midnight, local days begin every 24 hours from that moment, and their rows may be added up by day.';
