-- A lock of the session that a failed procedure cannot leave behind for others.
CREATE FUNCTION api_internal.try_lock(name text) RETURNS int
LANGUAGE plpgsql AS $$
DECLARE
  space CONSTANT int := hashtext('hyperpulse ' || name);
BEGIN
  -- A procedure that commits cannot release its lock when it fails; the session keeps it, idle. So there are several
  -- places: one held by an idle session is passed over, and whoever has one must find nobody at work in the others.
  FOR place IN 1 .. 8 LOOP
    CONTINUE WHEN NOT pg_try_advisory_lock(space, place);
    IF EXISTS (SELECT
                 FROM pg_locks AS l
                 JOIN pg_stat_activity AS a USING (pid)
                WHERE l.locktype = 'advisory' AND l.classid = space::oid AND l.granted
                  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
                  AND l.pid <> pg_backend_pid() AND a.state IS DISTINCT FROM 'idle') THEN
      PERFORM pg_advisory_unlock(space, place);
      RETURN NULL;
    END IF;
    RETURN place;
  END LOOP;
  RETURN NULL;
END
$$;

COMMENT ON FUNCTION api_internal.try_lock IS
  'Takes the lock of that name for this session unless another session is at work under it; returns the place it took, or null. Release that with api_internal.unlock.';
