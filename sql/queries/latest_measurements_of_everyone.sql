-- Each metric's latest value of a tenant's first users, with the other metrics asked for by name, between commas, or with all where
-- that is null; as far as they have at most so many series. A row without a metric for each user that was read; people is the number
-- of the first users.
WITH people AS MATERIALIZED (
  SELECT u.user_key, u.user_id, row_number() OVER (ORDER BY u.registered_at, u.user_id) AS item
    FROM core.app_user AS u
    JOIN core.tenant AS t USING (tenant_key)
   WHERE t.tenant_id = %(tenant_id)s
   ORDER BY u.registered_at, u.user_id
   LIMIT %(limit)s
), asked AS MATERIALIZED (
  SELECT CASE WHEN %(metrics)s::text IS NOT NULL THEN ARRAY(
           SELECT m.metric_key
             FROM core.metric AS m
            WHERE m.name = ANY (string_to_array(%(metrics)s::text, ','))
              AND (m.tenant_key IS NULL OR m.tenant_key = (SELECT t.tenant_key FROM core.tenant AS t WHERE t.tenant_id = %(tenant_id)s)))::text END AS metric_keys
)
SELECT p.user_id, v.metric_key, v.metric, v.unit, v.value, v.ts, v.device_id, (SELECT count(*) FROM people) AS people
  FROM api_internal.latest_measurements(
         ARRAY(SELECT p.user_key FROM people AS p ORDER BY p.item), ARRAY(SELECT a.metric_keys FROM people AS p, asked AS a), %(most)s) AS v
  JOIN people AS p USING (item)
 ORDER BY v.item, v.metric_key
