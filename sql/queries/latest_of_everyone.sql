-- Each metric's latest value of a tenant's first users.
SELECT u.user_id, l.metric, l.value, l.ts, l.device_id
  FROM (SELECT tenant_id, user_id FROM api.users WHERE tenant_id = %(tenant_id)s
         ORDER BY registered_at, user_id LIMIT %(limit)s) AS u
 CROSS JOIN LATERAL api.latest(u.tenant_id, u.user_id) AS l
