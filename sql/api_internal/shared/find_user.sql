-- A user's key, or null.
CREATE FUNCTION api_internal.find_user(tenant_id text, user_id text) RETURNS int
-- In PL/pgSQL, which caches the plan across calls.
LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN (SELECT u.user_key
            FROM core.app_user AS u
            JOIN api_internal.visible_tenant AS t USING (tenant_key)
           WHERE t.tenant_id = find_user.tenant_id AND u.user_id = find_user.user_id);
END
$$;

COMMENT ON FUNCTION api_internal.find_user IS 'The key of a user; null if the user is unknown.';
