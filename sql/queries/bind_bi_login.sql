-- Bind a BI login to a tenant; no row where the tenant is unknown.
INSERT INTO core.bi_login (role, tenant_key)
  SELECT quote_ident(%(name)s)::regrole, t.tenant_key FROM core.tenant AS t WHERE t.tenant_id = %(tenant)s
RETURNING tenant_key
