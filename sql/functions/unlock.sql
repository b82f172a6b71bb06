-- Releases what api.try_lock took.
CREATE FUNCTION api.unlock(name text) RETURNS void
LANGUAGE sql AS $$
  SELECT pg_advisory_unlock(hashtext('hyperpulse ' || name), l.objid::int)
    FROM pg_locks AS l
   WHERE l.locktype = 'advisory' AND l.classid = hashtext('hyperpulse ' || name)::oid AND l.pid = pg_backend_pid()
$$;

COMMENT ON FUNCTION api.unlock IS 'Releases the lock of that name, where this session has it.';
