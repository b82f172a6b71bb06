-- Each metric's latest value of users, each given by tenant and name, and by the names of the other metrics asked for, between
-- commas, or null for all; as far as they have at most so many series. A row without a metric for each user that was read.
WITH named AS MATERIALIZED (
  SELECT n.*
    FROM unnest(%(tenant_ids)s::text[], %(user_ids)s::text[], %(metrics)s::text[]) WITH ORDINALITY AS n (tenant_id, user_id, metrics, item)
), asked AS MATERIALIZED (
  -- Most clients ask for the same.
  SELECT n.tenant_id, n.metrics, t.tenant_key,
         CASE WHEN n.metrics IS NOT NULL THEN ARRAY(
           SELECT m.metric_key
             FROM core.metric AS m
            WHERE m.name = ANY (string_to_array(n.metrics, ',')) AND (m.tenant_key IS NULL OR m.tenant_key = t.tenant_key))::text END AS metric_keys
    FROM (SELECT DISTINCT n.tenant_id, n.metrics FROM named AS n) AS n
    LEFT JOIN core.tenant AS t USING (tenant_id)
), people AS MATERIALIZED (
  SELECT n.item, n.tenant_id, n.user_id, a.metric_keys,
         (SELECT u.user_key FROM core.app_user AS u WHERE u.tenant_key = a.tenant_key AND u.user_id = n.user_id) AS user_key
    FROM named AS n
    JOIN asked AS a ON a.tenant_id = n.tenant_id AND a.metrics IS NOT DISTINCT FROM n.metrics
)
SELECT p.tenant_id, p.user_id, v.metric_key, v.metric, v.unit, v.value, v.ts, v.device_id
  FROM api_internal.latest_measurements(
         ARRAY(SELECT p.user_key FROM people AS p ORDER BY p.item), ARRAY(SELECT p.metric_keys FROM people AS p ORDER BY p.item), %(most)s) AS v
  JOIN people AS p USING (item)
 ORDER BY v.item, v.metric_key
