-- The roles of BI tools.
CREATE VIEW api_internal.bi_role AS
  SELECT r.oid AS role, r.rolname AS name, r.rolcanlogin AS may_log_in, r.rolconnlimit AS most_connections,
         EXISTS (SELECT FROM pg_roles AS g WHERE g.rolname = 'bi_reader' AND pg_has_role(r.oid, g.oid, 'MEMBER')) AS is_operator
    FROM pg_roles AS r
   -- The groups by name among the roles, since a migration that could not create them goes on.
   WHERE EXISTS (SELECT FROM pg_roles AS g
                  WHERE g.rolname IN ('bi_reader', 'bi_tenant') AND g.oid <> r.oid AND pg_has_role(r.oid, g.oid, 'MEMBER'))
     -- Neither superusers nor the owner and its members, which may be members of the groups because they created them.
     AND NOT pg_has_role(r.oid, (SELECT n.nspowner FROM pg_namespace AS n WHERE n.nspname = 'core'), 'MEMBER');

COMMENT ON VIEW api_internal.bi_role IS
  'The roles of BI tools, on this server: members of bi_reader (is_operator) or bi_tenant, and neither superusers nor the owner of Hyperpulse or members of its role. What the session of a login sees is up to api_internal.session_tenant.';
