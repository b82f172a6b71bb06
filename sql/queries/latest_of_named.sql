-- Each metric's latest value of users, each given by tenant and name.
WITH people AS MATERIALIZED (
  SELECT n.tenant_id, n.user_id, u.user_key
    FROM unnest(%(tenant_ids)s::text[], %(user_ids)s::text[]) AS n (tenant_id, user_id)
    JOIN core.tenant AS t USING (tenant_id)
    JOIN core.app_user AS u USING (tenant_key, user_id)
)
SELECT p.tenant_id, p.user_id, v.metric, v.value, v.ts, v.device_id
  FROM api_internal.latest_values(ARRAY(SELECT user_key FROM people)) AS v
  JOIN people AS p USING (user_key)
