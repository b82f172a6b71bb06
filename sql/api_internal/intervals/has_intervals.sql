-- Whether a user's readings have to be seen with intervals.
CREATE FUNCTION api_internal.has_intervals(user_key int) RETURNS boolean
-- PL/pgSQL, which keeps the plan; views say the same themselves, since their readers may not call this.
LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN EXISTS (SELECT FROM core.interval_series AS s WHERE s.user_key = has_intervals.user_key AND s.kind < 2 AND s.metric_key < 4);
END
$$;

COMMENT ON FUNCTION api_internal.has_intervals IS
  'Whether a user has had intervals of steps or calories, or worn windows: then what one of the user''s readings counts depends on everything in its hour (UTC).';
