-- A tenant's events in a half-open range that come after the cursor (ts, event_id).
SELECT event_id, tenant_id, source, event_type, ts, payload
  FROM api.events
 WHERE tenant_id = %(tenant_id)s
   AND (%(source)s::text IS NULL OR source = %(source)s)
   AND (%(event_type)s::text IS NULL OR event_type = %(event_type)s)
   AND ts >= %(start)s::timestamptz
   AND ts < %(end)s::timestamptz
   AND (%(after_ts)s::timestamptz IS NULL
        OR (ts, event_id) > (%(after_ts)s::timestamptz, %(after_event_id)s::text))
 ORDER BY ts, event_id
 LIMIT %(limit)s
