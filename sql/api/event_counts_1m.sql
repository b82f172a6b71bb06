-- Events counted by minute: from the rollup, and from core.event where the rollup is not up to date.
CREATE VIEW api.event_counts_1m WITH (security_barrier) AS
  -- UNION ALL in a subquery: PostgreSQL ignores the barrier of a view that is one itself.
  SELECT c.*
    FROM (SELECT t.tenant_id, r.bucket, r.source, r.event_type, r.count
            FROM rollup.event_1m AS r
            JOIN api_internal.visible_tenant AS t ON t.tenant_key = r.tenant_key
           WHERE r.bucket < (SELECT public.time_bucket(INTERVAL '1 minute', h.events_materialized) FROM core.horizon AS h)
             AND NOT EXISTS (SELECT FROM core.stale_event_day AS s
                              WHERE s.tenant_key = r.tenant_key AND s.day = public.time_bucket(INTERVAL '24 hours', r.bucket))
          UNION ALL
          SELECT t.tenant_id, public.time_bucket(INTERVAL '1 minute', e.ts), e.source, e.event_type, count(*)
            FROM core.stale_event_day AS s
            JOIN api_internal.visible_tenant AS t ON t.tenant_key = s.tenant_key
            JOIN core.event AS e ON e.tenant_key = s.tenant_key AND e.ts >= s.day AND e.ts < s.day + INTERVAL '24 hours'
           WHERE e.ts < (SELECT public.time_bucket(INTERVAL '1 minute', h.events_materialized) FROM core.horizon AS h)
           GROUP BY 1, 2, 3, 4
          UNION ALL
          SELECT t.tenant_id, public.time_bucket(INTERVAL '1 minute', e.ts), e.source, e.event_type, count(*)
            FROM core.event AS e
            JOIN api_internal.visible_tenant AS t ON t.tenant_key = e.tenant_key
           WHERE e.ts >= (SELECT public.time_bucket(INTERVAL '1 minute', h.events_materialized) FROM core.horizon AS h)
           GROUP BY 1, 2, 3, 4) AS c;

COMMENT ON VIEW api.event_counts_1m IS
  'The number of events in each minute, by tenant, source and event_type, exact at every moment, including the current minute. Buckets without events have no row.';
COMMENT ON COLUMN api.event_counts_1m.tenant_id IS 'The tenant of the events.';
COMMENT ON COLUMN api.event_counts_1m.bucket IS 'Start of the minute, UTC.';
COMMENT ON COLUMN api.event_counts_1m.source IS 'Where the events come from, such as web.';
COMMENT ON COLUMN api.event_counts_1m.event_type IS 'What happened, such as click.';
COMMENT ON COLUMN api.event_counts_1m.count IS 'The number of events.';
