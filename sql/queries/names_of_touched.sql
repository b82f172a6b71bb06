-- The users with the given keys whose changes are delivered: all of some tenants, of others those named. Of tenants whose
-- changes are counted, a row without a user has how many those of the other users are.
WITH touched AS MATERIALIZED (
  SELECT k.user_key, k.changes, t.tenant_id, u.user_id,
         -- Subqueries, since a cached plan would compare each row with every element of an array.
         t.tenant_id IN (SELECT unnest(%(whole_tenants)s::text[]))
         OR (t.tenant_id, u.user_id) IN (SELECT * FROM unnest(%(named_tenants)s::text[], %(named_users)s::text[])) AS is_delivered
    FROM unnest(%(user_keys)s::int[], %(counts)s::bigint[]) AS k (user_key, changes)
    JOIN core.app_user AS u USING (user_key)
    JOIN core.tenant AS t USING (tenant_key)
)
SELECT tenant_id, user_id, user_key, changes
  FROM touched
 WHERE is_delivered
UNION ALL
SELECT tenant_id, NULL, NULL, sum(changes)::bigint
  FROM touched
 WHERE NOT is_delivered AND tenant_id IN (SELECT unnest(%(counted_tenants)s::text[]))
 GROUP BY tenant_id
