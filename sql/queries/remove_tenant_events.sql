-- Remove the events of a tenant that is closed, in a transaction, and mark their days, of which the counts go with the next refresh.
WITH held AS MATERIALIZED (
  SELECT api_internal.hold_horizon()
), gone AS (
  DELETE FROM core.event AS e USING held WHERE e.tenant_key = %(tenant_key)s RETURNING e.ts
)
SELECT api_internal.mark_stale_events(array_fill(%(tenant_key)s::int, ARRAY[count(*)::int]), array_agg(d.day))
  FROM (SELECT DISTINCT public.time_bucket(INTERVAL '24 hours', g.ts) AS day FROM gone AS g) AS d
HAVING count(*) > 0
