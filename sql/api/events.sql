-- Events with their tenant.
CREATE VIEW api.events AS
  SELECT t.tenant_id, e.event_id, e.source, e.event_type, e.ts, e.payload
    FROM core.event AS e
    JOIN core.tenant AS t USING (tenant_key);

COMMENT ON VIEW api.events IS 'Every event as it was sent; of two with one event_id the first.';
