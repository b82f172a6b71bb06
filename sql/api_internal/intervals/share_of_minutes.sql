-- What an interval gives to some minutes of an hour.
CREATE FUNCTION api_internal.share_of_minutes(
  whole numeric, grain int, ts timestamptz, ends_at timestamptz, cell timestamptz, piece_start timestamptz, piece_end timestamptz, minutes bigint
) RETURNS numeric
-- Without SET, so that the planner inlines it.
LANGUAGE sql IMMUTABLE
RETURN (SELECT sum(div(whole * extract(epoch FROM least(cell + (g.minute + 1) * INTERVAL '1 minute', piece_end) - ts), extract(epoch FROM ends_at - ts))
                   - div(whole * extract(epoch FROM greatest(cell + g.minute * INTERVAL '1 minute', piece_start) - ts), extract(epoch FROM ends_at - ts)))
               * grain
          FROM generate_series(0, 59) AS g (minute)
         WHERE (minutes >> g.minute) & 1 = 1);

COMMENT ON FUNCTION api_internal.share_of_minutes IS
  'What an interval, of an amount in units of grain millionths, gives in whole millionths to minutes of an hour, given as bits, the first minute as 1, that a piece of it overlaps.';
