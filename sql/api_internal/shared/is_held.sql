-- Whether the session that claimed something is still there.
CREATE FUNCTION api_internal.is_held(claim core.claim, from_idle boolean DEFAULT false) RETURNS boolean
LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN EXISTS (SELECT
                   FROM pg_stat_activity AS a
                  WHERE a.pid = claim.pid AND a.usesysid = claim.role
                    -- Null for a role that may not see the sessions of the other.
                    AND coalesce(a.backend_start = claim.session_start, true)
                    AND NOT (from_idle AND a.state IS NOT DISTINCT FROM 'idle'));
END
$$;

COMMENT ON FUNCTION api_internal.is_held IS
  'Whether the session of a row of core.claim exists; with from_idle, whether it does not idle either.';
