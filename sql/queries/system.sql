-- The state of the database: freshness, runs, jobs, sizes and the last verification of the rollups; one row.
SELECT
  (SELECT jsonb_build_object(
            'horizon', f.horizon, 'lag', extract(epoch FROM f.lag), 'stale_days', f.stale_days,
            'stale_event_days', f.stale_event_days, 'last_refresh', f.last_refresh, 'refreshed_by', f.refreshed_by,
            'last_error', f.last_error)
     FROM api.freshness AS f
    LIMIT 1) AS freshness,
  (SELECT jsonb_agg(jsonb_build_object(
            'task', r.task, 'runner', r.runner, 'seen', r.seen_at, 'last_start', r.started_at,
            'last_took', extract(epoch FROM r.finished_at - r.started_at), 'done', r.done, 'runs', r.runs,
            'failures', r.failures, 'last_failed', r.failed_at, 'last_failure', r.failure) ORDER BY r.task)
     FROM core.run AS r) AS runs,
  (SELECT coalesce(jsonb_agg(jsonb_build_object(
            'name', regexp_replace(j.application_name, ' \[\d+\]$', ''), 'every', extract(epoch FROM j.schedule_interval),
            'scheduled', j.scheduled, 'runs', s.total_runs, 'failures', s.total_failures, 'status', s.last_run_status,
            'last_start', nullif(s.last_run_started_at, '-infinity'), 'last_took', extract(epoch FROM s.last_run_duration),
            'next_start', nullif(nullif(s.next_start, '-infinity'), 'infinity')) ORDER BY j.job_id), '[]')
     FROM timescaledb_information.jobs AS j
     LEFT JOIN timescaledb_information.job_stats AS s USING (job_id)
    WHERE j.proc_schema = 'core') AS jobs,
  (SELECT jsonb_agg(jsonb_build_object(
            'name', t.name, 'bytes', hypertable_size(t.hypertable), 'chunks', c.chunks, 'compressed', c.compressed,
            'before', z.before, 'after', z.after) ORDER BY t.place)
     FROM (SELECT t.place, t.name, coalesce(a.hypertable, to_regclass(t.name)) AS hypertable
             FROM unnest(ARRAY['core.reading', 'rollup.user_15m', 'rollup.user_1h', 'rollup.user_4h', 'rollup.user_1d',
                               'rollup.device_15m', 'rollup.device_1h', 'rollup.device_4h', 'rollup.device_1d',
                               'rollup.tenant_15m', 'rollup.tenant_1h', 'rollup.tenant_1d',
                               'core.event', 'rollup.event_1m', 'rollup.event_1h', 'rollup.event_1d'])
                    WITH ORDINALITY AS t (name, place)
             LEFT JOIN (SELECT format('%%I.%%I', view_schema, view_name) AS name,
                               format('%%I.%%I', materialization_hypertable_schema,
                                      materialization_hypertable_name)::regclass AS hypertable
                          FROM timescaledb_information.continuous_aggregates) AS a USING (name)) AS t
    CROSS JOIN LATERAL (
      SELECT count(*) AS chunks, count(*) FILTER (WHERE i.is_compressed) AS compressed
        FROM timescaledb_information.chunks AS i
       WHERE format('%%I.%%I', i.hypertable_schema, i.hypertable_name)::regclass = t.hypertable) AS c
    CROSS JOIN LATERAL (
      SELECT sum(p.before_compression_total_bytes) AS before, sum(p.after_compression_total_bytes) AS after
        FROM chunk_columnstore_stats(t.hypertable) AS p) AS z
    WHERE t.hypertable IS NOT NULL) AS storage,
  (SELECT jsonb_build_object('checked_at', v.checked_at, 'buckets', v.buckets, 'drift', v.drift)
     FROM core.verification AS v
    ORDER BY v.checked_at DESC
    LIMIT 1) AS verification,
  jsonb_build_object(
    'users', (SELECT count(*) FROM core.app_user), 'devices', (SELECT count(*) FROM core.device),
    -- The estimate is 0 before the first ANALYZE.
    'readings', (SELECT nullif(approximate_row_count('core.reading'), CASE WHEN EXISTS (SELECT FROM core.reading) THEN 0 END)),
    'bytes', pg_database_size(current_database()),
    'postgresql', split_part(current_setting('server_version'), ' ', 1),
    'timescaledb', (SELECT extversion FROM pg_extension WHERE extname = 'timescaledb')) AS database
