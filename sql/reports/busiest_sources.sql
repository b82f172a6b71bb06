-- Which sources sent which events, day by day, in the last month?
SELECT tenant_id, bucket::date AS day, source, event_type, count
  FROM api.event_counts_1d
 WHERE bucket >= now() - INTERVAL '30 days'
 ORDER BY tenant_id, day, count DESC, source, event_type;
