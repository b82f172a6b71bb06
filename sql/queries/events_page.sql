-- One numbered page of a tenant's events, both ends of the range included.
SELECT event_id, tenant_id, source, event_type, ts, payload
  FROM api.events
 WHERE tenant_id = %(tenant_id)s
   AND (%(source)s::text IS NULL OR source = %(source)s)
   AND (%(event_type)s::text IS NULL OR event_type = %(event_type)s)
   AND (%(start)s::timestamptz IS NULL OR ts >= %(start)s)
   AND (%(end)s::timestamptz IS NULL OR ts <= %(end)s)
 ORDER BY ts, event_id
 LIMIT %(limit)s OFFSET %(offset)s
