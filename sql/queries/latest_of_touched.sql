-- Each metric's latest value of the users of a tenant that have these keys.
SELECT u.user_key, u.user_id, l.metric, l.value, l.ts, l.device_id
  FROM core.app_user AS u
  JOIN core.tenant AS t USING (tenant_key)
 CROSS JOIN LATERAL api.latest(t.tenant_id, u.user_id) AS l
 WHERE u.user_key = ANY (%(user_keys)s::int[]) AND t.tenant_id = %(tenant_id)s
