-- Releases a lock taken by api_internal.try_lock.
CREATE FUNCTION api_internal.unlock(name text, place int) RETURNS void
LANGUAGE sql AS $$
  SELECT pg_advisory_unlock(hashtext('hyperpulse ' || name), place)
$$;

COMMENT ON FUNCTION api_internal.unlock IS 'Releases a place of the lock of that name, taken by api_internal.try_lock in this session.';
