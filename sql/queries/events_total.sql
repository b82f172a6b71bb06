-- The number of events on all pages of events_page.
SELECT count(*) AS total
  FROM api.events
 WHERE tenant_id = %(tenant_id)s
   AND (%(source)s::text IS NULL OR source = %(source)s)
   AND (%(event_type)s::text IS NULL OR event_type = %(event_type)s)
   AND (%(start)s::timestamptz IS NULL OR ts >= %(start)s)
   AND (%(end)s::timestamptz IS NULL OR ts <= %(end)s)
