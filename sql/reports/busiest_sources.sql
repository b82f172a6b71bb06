-- Which sources sent which events on each of the last 30 complete days (UTC)?
SELECT tenant_id, (bucket AT TIME ZONE 'UTC')::date AS day, source, event_type, count
  FROM api.event_counts_1d
 WHERE bucket >= date_trunc('day', now(), 'UTC') - INTERVAL '720 hours' AND bucket < date_trunc('day', now(), 'UTC')
 ORDER BY tenant_id, day, count DESC, source, event_type;
