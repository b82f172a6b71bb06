-- Events with their tenant.
CREATE VIEW api.events WITH (security_barrier) AS
  SELECT t.tenant_id, e.event_id, e.source, e.event_type, e.ts, e.payload
    FROM core.event AS e
    JOIN api_internal.visible_tenant AS t USING (tenant_key);

COMMENT ON VIEW api.events IS 'Events as they were sent; the first one of each event_id in a tenant.';
COMMENT ON COLUMN api.events.tenant_id IS 'The tenant of the event.';
COMMENT ON COLUMN api.events.event_id IS 'Identifies the event, however often it is sent; unique within the tenant.';
COMMENT ON COLUMN api.events.source IS 'Where the event comes from, such as web.';
COMMENT ON COLUMN api.events.event_type IS 'What happened, such as click.';
COMMENT ON COLUMN api.events.ts IS 'When the event happened.';
COMMENT ON COLUMN api.events.payload IS 'The event''s other data, as JSON.';
