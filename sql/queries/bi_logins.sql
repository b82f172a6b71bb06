-- The BI logins of the server, and what each sees in this database.
SELECT r.rolname AS name, t.tenant_id AS tenant, pg_has_role(r.oid, 'bi_reader', 'MEMBER') AS is_operator,
       r.rolconnlimit AS most, (SELECT count(*) FROM pg_stat_activity AS a WHERE a.usesysid = r.oid) AS connected
  FROM pg_roles AS r
  LEFT JOIN core.bi_login AS b ON b.role = r.oid
  LEFT JOIN core.tenant AS t USING (tenant_key)
 WHERE r.rolcanlogin AND NOT pg_has_role(r.oid, (SELECT n.nspowner FROM pg_namespace AS n WHERE n.nspname = 'core'), 'MEMBER')
   AND (pg_has_role(r.oid, 'bi_reader', 'MEMBER') OR pg_has_role(r.oid, 'bi_tenant', 'MEMBER'))
 ORDER BY t.tenant_id NULLS FIRST, r.rolname
