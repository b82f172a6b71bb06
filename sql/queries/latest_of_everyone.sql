-- Each metric's latest value of a tenant's first users; people is the number of these users, in a row of its own if
-- nothing was measured.
WITH people AS MATERIALIZED (
  SELECT u.user_key, u.user_id
    FROM core.app_user AS u
    JOIN core.tenant AS t USING (tenant_key)
   WHERE t.tenant_id = %(tenant_id)s
   ORDER BY u.registered_at, u.user_id
   LIMIT %(limit)s
)
SELECT p.user_id, v.metric, v.value, v.ts, v.device_id, n.people
  FROM (SELECT count(*) AS people FROM people) AS n
  LEFT JOIN (api_internal.latest_values(ARRAY(SELECT user_key FROM people)) AS v
             JOIN people AS p USING (user_key)) ON true
