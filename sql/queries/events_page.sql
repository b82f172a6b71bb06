-- A page of a tenant's events, both ends of the range included, or the rest of the page after (ts, event_id), as many as
-- fit into one piece.
SELECT *
  FROM api_internal.some_events(
         %(tenant_id)s, %(source)s, %(event_type)s, coalesce(%(start)s::timestamptz, '-infinity'),
         coalesce(%(end)s::timestamptz + INTERVAL '1 microsecond', 'infinity'), %(after_ts)s, %(after_event_id)s,
         %(skipped)s, %(most)s, %(most_bytes)s)
