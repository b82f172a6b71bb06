-- Releases what api_internal.claim claimed.
CREATE FUNCTION api_internal.release(name text) RETURNS void
LANGUAGE sql AS $$
  UPDATE core.claim AS c
     SET pid = NULL, role = NULL, session_start = NULL
   WHERE c.name = release.name AND c.pid = pg_backend_pid()
$$;

COMMENT ON FUNCTION api_internal.release IS 'Releases what this session claimed by api_internal.claim.';
