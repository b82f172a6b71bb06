-- Events counted by bucket, source and type, both ends of the range included.
SELECT bucket, source, event_type, count
  FROM api.event_counts(
    %(tenant_id)s, %(bucket_size)s, %(source)s::text, %(event_type)s::text,
    %(start)s::timestamptz, %(end)s::timestamptz + INTERVAL '1 microsecond'
  )
 LIMIT %(limit)s
