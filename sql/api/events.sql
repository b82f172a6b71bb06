-- Events with their tenant.
CREATE VIEW api.events AS
  SELECT t.tenant_id, e.event_id, e.source, e.event_type, e.ts, e.payload
    FROM core.event AS e
    JOIN core.tenant AS t USING (tenant_key);

COMMENT ON VIEW api.events IS 'Every event as it was sent; of two with one event_id the first.';
COMMENT ON COLUMN api.events.tenant_id IS 'Whose event.';
COMMENT ON COLUMN api.events.event_id IS 'What makes it one event, however often it is sent; unique within the tenant.';
COMMENT ON COLUMN api.events.source IS 'Where it comes from, such as web.';
COMMENT ON COLUMN api.events.event_type IS 'What happened, such as click.';
COMMENT ON COLUMN api.events.ts IS 'When it happened.';
COMMENT ON COLUMN api.events.payload IS 'Whatever else was sent with it, as JSON.';
