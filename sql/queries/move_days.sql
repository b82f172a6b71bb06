-- The days on which a tenant has rollups; one row.
SELECT coalesce(array_agg(DISTINCT r.bucket), '{}') AS days
  FROM core.tenant AS t
  JOIN core.app_user AS u USING (tenant_key)
  JOIN rollup.user_1d AS r USING (user_key)
 WHERE t.tenant_id = %(tenant_id)s
