-- Events counted by bucket, source and type, both ends of the range included.
SELECT public.time_bucket(('1 ' || %(bucket_size)s)::interval, ts) AS bucket, source, event_type, count(*) AS count
  FROM api.events
 WHERE tenant_id = %(tenant_id)s
   AND (%(source)s::text IS NULL OR source = %(source)s)
   AND (%(event_type)s::text IS NULL OR event_type = %(event_type)s)
   AND (%(start)s::timestamptz IS NULL OR ts >= %(start)s)
   AND (%(end)s::timestamptz IS NULL OR ts <= %(end)s)
 GROUP BY 1, 2, 3
 ORDER BY 1, 2, 3
