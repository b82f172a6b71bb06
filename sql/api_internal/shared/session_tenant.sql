-- The tenant that this session may see.
CREATE FUNCTION api_internal.session_tenant() RETURNS int
-- SECURITY DEFINER, since the table is private. current_user is therefore the owner here, and session_user the login.
LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  bound int;
BEGIN
  -- The service, at once.
  IF session_user = current_user THEN
    RETURN NULL;
  END IF;
  SELECT b.tenant_key INTO bound FROM core.bi_login AS b WHERE b.role = quote_ident(session_user)::regrole;
  IF FOUND THEN
    RETURN bound;
  ELSIF EXISTS (SELECT FROM pg_roles AS r
                 WHERE r.rolname IN ('bi_reader', 'hyperpulse_service', current_user) AND pg_has_role(session_user, r.oid, 'MEMBER')) THEN
    RETURN NULL;
  END IF;
  RETURN 0;
END
$$;

COMMENT ON FUNCTION api_internal.session_tenant IS
  'The key of the tenant that the login of this session is bound to by core.bi_login; null for a login that sees all tenants, which is the owner, a member of its role or of hyperpulse_service, or a member of bi_reader that is bound to none; 0, the key of no tenant, for any other.';
