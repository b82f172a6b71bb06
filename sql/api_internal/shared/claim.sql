-- Claims something for this session, beyond its transactions.
CREATE FUNCTION api_internal.claim(name text, from_idle boolean DEFAULT false) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
  held core.claim;
BEGIN
  -- Not an advisory lock: any role may take one, and reads in pg_locks which ones others hold.
  SELECT c.* INTO held FROM core.claim AS c WHERE c.name = claim.name FOR UPDATE SKIP LOCKED;
  IF NOT FOUND THEN
    RETURN false; -- another session claims it at this moment
  END IF;
  IF held.pid <> pg_backend_pid() THEN
    -- The sessions of this moment, among which is every one that claimed before the row was locked.
    PERFORM pg_stat_clear_snapshot();
    IF api_internal.is_held(held, from_idle) THEN
      RETURN false;
    END IF;
  END IF;
  UPDATE core.claim AS c
     SET pid = pg_backend_pid(), role = s.usesysid, session_start = s.backend_start
    FROM pg_stat_get_activity(pg_backend_pid()) AS s
   WHERE c.name = claim.name;
  RETURN true;
END
$$;

COMMENT ON FUNCTION api_internal.claim IS
  'Claims what the row of core.claim of that name stands for, unless another session holds it; returns whether this session holds it now. The claim counts once the transaction commits, and until api_internal.release or the end of the session. A procedure that commits cannot release what it holds when it fails: from_idle takes a claim over from a session that is idle.';
