-- What an interval gives until a moment in it.
CREATE FUNCTION api_internal.share_until(whole numeric, ts timestamptz, ends_at timestamptz, until timestamptz) RETURNS numeric
-- Without SET, so that the planner inlines it.
LANGUAGE sql IMMUTABLE
RETURN CASE WHEN until = ts THEN 0
            WHEN until = ends_at THEN whole
            ELSE div(whole * extract(epoch FROM until - ts), extract(epoch FROM ends_at - ts)) END;

COMMENT ON FUNCTION api_internal.share_until IS
  'What an interval, of an amount in whole units, gives in whole units until a moment in it, rounded down: shares between moments are differences of it, so that they add up to the amount.';
