-- The metrics of the database for Prometheus; one row. Durations in seconds, timestamps in seconds since 1970.
SELECT extract(epoch FROM f.lag)::float8 AS lag,
       f.stale_days,
       f.stale_event_days,
       extract(epoch FROM f.last_refresh)::float8 AS last_refresh,
       extract(epoch FROM v.checked_at)::float8 AS checked_at,
       v.buckets AS checked_buckets,
       v.drift,
       (SELECT jsonb_agg(jsonb_build_object('task', r.task, 'runner', r.runner, 'runs', r.runs, 'failures', r.failures,
                                            'seen', extract(epoch FROM r.seen_at)::float8,
                                            'failed', extract(epoch FROM r.failed_at)::float8,
                                            'took', extract(epoch FROM r.finished_at - r.started_at)::float8) ORDER BY r.task)
          FROM core.run AS r) AS runs,
       (SELECT coalesce(jsonb_agg(jsonb_build_object('job', replace(j.proc_name, 'run_', ''),
                                                     'runs', coalesce(s.total_runs, 0),
                                                     'failures', coalesce(s.total_failures, 0)) ORDER BY j.proc_name), '[]')
          FROM timescaledb_information.jobs AS j
          JOIN timescaledb_information.job_stats AS s USING (job_id)
         WHERE j.proc_schema = 'core') AS jobs
  FROM api.freshness AS f
  LEFT JOIN (SELECT * FROM core.verification ORDER BY checked_at DESC LIMIT 1) AS v ON true
 WHERE f.level = '1d'
