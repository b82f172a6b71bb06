-- Stores events with new event_ids; the first event of an event_id stays.
CREATE FUNCTION api_internal.write_events(
  tenant_ids text[], event_ids text[], sources text[], event_types text[], timestamps timestamptz[], payloads jsonb[]
) RETURNS boolean[]
LANGUAGE plpgsql
-- A generic plan assumes short arrays and joins them by nested loops.
SET plan_cache_mode = force_custom_plan
AS $$
DECLARE
  created boolean[];
BEGIN
  PERFORM api_internal.require_open(tenant_ids);
  IF EXISTS (SELECT FROM unnest(tenant_ids) AS i (tenant_id)
              WHERE NOT EXISTS (SELECT FROM core.tenant AS t WHERE t.tenant_id = i.tenant_id)) THEN
    PERFORM api_internal.enrol_tenants(tenant_ids);
  END IF;

  WITH incoming AS (
    SELECT i.*, t.tenant_key,
           row_number() OVER (PARTITION BY t.tenant_key, i.event_id ORDER BY i.item) = 1 AS is_first
      FROM unnest(tenant_ids, event_ids, sources, event_types, timestamps, payloads) WITH ORDINALITY
        AS i (tenant_id, event_id, source, event_type, ts, payload, item)
      JOIN core.tenant AS t USING (tenant_id)
  ), taken AS (
    INSERT INTO core.event_id (tenant_key, event_id, ts)
      SELECT i.tenant_key, i.event_id, i.ts
        FROM incoming AS i
       WHERE i.is_first
       ORDER BY i.tenant_key, i.event_id
    ON CONFLICT DO NOTHING
    RETURNING tenant_key, event_id
  ), stored AS (
    INSERT INTO core.event (ts, tenant_key, event_id, source, event_type, payload)
      SELECT i.ts, i.tenant_key, i.event_id, i.source, i.event_type, i.payload
        FROM incoming AS i
        JOIN taken USING (tenant_key, event_id)
       WHERE i.is_first
    RETURNING tenant_key, ts
  ), marked AS (
    SELECT api_internal.mark_stale_events(array_agg(s.tenant_key), array_agg(s.ts))
      FROM stored AS s
    HAVING count(*) > 0
  )
  SELECT array_agg(i.is_first AND taken.event_id IS NOT NULL ORDER BY i.item) INTO created
    FROM incoming AS i
    LEFT JOIN taken USING (tenant_key, event_id)
    -- Joined, since a SELECT in a WITH clause runs only if it is read.
    LEFT JOIN marked ON true;
  PERFORM api_internal.confirm_stored();
  RETURN created;
END
$$;

COMMENT ON FUNCTION api_internal.write_events IS
  'Stores a batch of events, given as arrays of one length. Returns for each item whether it was created; false means that its (tenant_id, event_id) exists, and the event stored first stays.';
