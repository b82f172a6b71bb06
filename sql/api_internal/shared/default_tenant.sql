-- The tenant of readings that name none.
CREATE FUNCTION api_internal.default_tenant() RETURNS text
LANGUAGE sql IMMUTABLE AS $$
  SELECT 'default'
$$;

COMMENT ON FUNCTION api_internal.default_tenant IS
  'The tenant of readings that are inserted without one; the service takes the same for requests that are bound to none.';
