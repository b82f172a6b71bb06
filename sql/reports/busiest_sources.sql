-- Which sources sent which events, day by day (UTC), in the last 30 days that are over?
SELECT tenant_id, (bucket AT TIME ZONE 'UTC')::date AS day, source, event_type, count
  FROM api.event_counts_1d
 WHERE bucket >= date_trunc('day', now(), 'UTC') - INTERVAL '720 hours' AND bucket < date_trunc('day', now(), 'UTC')
 ORDER BY tenant_id, day, count DESC, source, event_type;
