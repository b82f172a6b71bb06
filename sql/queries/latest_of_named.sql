-- Each metric's latest value of a tenant's users with the given names.
WITH people AS MATERIALIZED (
  SELECT u.user_key, u.user_id
    FROM core.app_user AS u
    JOIN core.tenant AS t USING (tenant_key)
   WHERE u.user_id = ANY (%(user_ids)s::text[]) AND t.tenant_id = %(tenant_id)s
)
SELECT p.user_id, v.metric, v.value, v.ts, v.device_id
  FROM api_internal.latest_values(ARRAY(SELECT user_key FROM people)) AS v
  JOIN people AS p USING (user_key)
