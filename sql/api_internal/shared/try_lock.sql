-- A session lock that a failed procedure cannot keep from other sessions.
CREATE FUNCTION api_internal.try_lock(name text) RETURNS int
LANGUAGE plpgsql AS $$
DECLARE
  space CONSTANT int := hashtext('hyperpulse ' || name);
BEGIN
  -- A procedure that commits cannot release its lock when it fails, so its idle session keeps the lock. The lock therefore
  -- has several places: a place held by an idle session is skipped, and a session that takes a place succeeds only if no
  -- active session holds another.
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
  'Takes the lock of that name for this session unless an active session holds it; returns the place taken, or null. Release the place by api_internal.unlock.';
