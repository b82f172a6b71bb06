-- A tenant's events in a half-open range after the cursor (ts, event_id), as many as fit into one piece.
SELECT *
  FROM api_internal.some_events(
         %(tenant_id)s, %(source)s, %(event_type)s, %(start)s, %(end)s, %(after_ts)s, %(after_event_id)s,
         0, %(most)s, %(most_bytes)s)
