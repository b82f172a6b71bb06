-- What an interval gives to some minutes of an hour.
CREATE FUNCTION api_internal.share_of_minutes(
  whole numeric, grain int, ts timestamptz, ends_at timestamptz, cell timestamptz, piece_start timestamptz, piece_end timestamptz, low int, high int,
  minutes bigint
) RETURNS numeric
-- Without SET, so that the planner inlines it.
LANGUAGE sql IMMUTABLE
-- Shares telescope, so only where a run of minutes begins or ends it matters what the interval has given until then.
RETURN (SELECT sum(CASE WHEN (minutes >> g.minute) & 1 = 1 THEN -1 ELSE 1 END
                   * api_internal.share_until(whole, ts, ends_at, least(greatest(cell + g.minute * INTERVAL '1 minute', piece_start), piece_end)))
               * grain
          FROM generate_series(low, high + 1) AS g (minute)
         WHERE ((minutes # (minutes << 1)) >> g.minute) & 1 = 1);

COMMENT ON FUNCTION api_internal.share_of_minutes IS
  'What an interval, of an amount in units of grain millionths, gives in whole millionths to minutes of an hour, given as bits, the first minute as 1, of which a piece of it overlaps those from low to high.';
