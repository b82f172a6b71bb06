-- The tenants that this session may see.
CREATE VIEW api_internal.visible_tenant AS
  SELECT t.tenant_key, t.tenant_id
    FROM core.tenant AS t
   -- Evaluated once for a query. Of an expression other than a comparison the planner expects that it holds for every other row, and
   -- plans for the owner as without it.
   WHERE coalesce(t.tenant_key = (SELECT api_internal.session_tenant()), true);

COMMENT ON VIEW api_internal.visible_tenant IS
  'The tenants that the login of this session may see, as api_internal.session_tenant says; the views of api that show rows of tenants are built on it, as security barriers, so that no condition of a query sees a row of another tenant.';
