-- Store a batch of events; one row: whether each was created.
SELECT api_internal.write_events(
  %(tenant_ids)s::text[], %(event_ids)s::text[], %(sources)s::text[], %(event_types)s::text[],
  %(timestamps)s::timestamptz[], %(payloads)s::text[]::jsonb[]
) AS created
