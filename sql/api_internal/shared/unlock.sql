-- Releases what api_internal.try_lock took.
CREATE FUNCTION api_internal.unlock(name text, place int) RETURNS void
LANGUAGE sql AS $$
  SELECT pg_advisory_unlock(hashtext('hyperpulse ' || name), place)
$$;

COMMENT ON FUNCTION api_internal.unlock IS 'Releases the place that this session took of the lock of that name.';
