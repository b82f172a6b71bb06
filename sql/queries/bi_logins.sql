-- The BI logins of the server, and what each sees in this database.
SELECT r.name, t.tenant_id AS tenant, r.is_operator, r.most_connections AS most,
       (SELECT count(*) FROM pg_stat_activity AS a WHERE a.usesysid = r.role) AS connected
  FROM api_internal.bi_role AS r
  LEFT JOIN core.bi_login AS b ON b.role = r.role
  LEFT JOIN core.tenant AS t USING (tenant_key)
 WHERE r.may_log_in
 ORDER BY t.tenant_id NULLS FIRST, r.name
