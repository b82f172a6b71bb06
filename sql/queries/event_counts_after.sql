-- Events counted by bucket, source and type in a half-open range, after the cursor.
SELECT bucket, source, event_type, count
  FROM api.event_counts(
    %(tenant_id)s, %(bucket_size)s, %(source)s::text, %(event_type)s::text,
    -- Buckets are counted whole, so the range begins at the start of the cursor's bucket.
    greatest(%(start)s::timestamptz, %(after_bucket)s::timestamptz), %(end)s::timestamptz
  )
 WHERE %(after_bucket)s::timestamptz IS NULL
    OR (bucket, source COLLATE "C", event_type COLLATE "C")
       > (%(after_bucket)s::timestamptz, %(after_source)s::text COLLATE "C", %(after_event_type)s::text COLLATE "C")
 ORDER BY bucket, source COLLATE "C", event_type COLLATE "C"
 LIMIT %(limit)s
