-- How far rollups can be trusted, and what is being done about the rest.
CREATE VIEW api.freshness AS
  SELECT l.level,
         h.materialized AS horizon,
         now() - h.materialized AS lag,
         (SELECT count(*) FROM core.stale_day) AS stale_days,
         (SELECT count(*) FROM core.stale_event_day) AS stale_event_days,
         nullif(j.last_successful_finish, '-infinity') AS last_refresh,
         CASE WHEN j.last_run_status = 'Failed' THEN
           (SELECT e.err_message FROM timescaledb_information.job_errors AS e
             WHERE e.job_id = j.job_id ORDER BY e.start_time DESC LIMIT 1) END AS last_error
    FROM core.horizon AS h
   CROSS JOIN unnest(ARRAY['1m', '15m', '1h', '1d']) AS l (level)
    LEFT JOIN timescaledb_information.job_stats AS j
           ON j.job_id = (SELECT i.job_id FROM timescaledb_information.jobs AS i
                           WHERE i.proc_schema = 'core' AND i.proc_name = 'run_refresh');

COMMENT ON VIEW api.freshness IS
  'By resolution: up to where rollups are trusted, how far that is behind now, how many days of users, and of tenants events, are stale and read raw meanwhile, and how the last refresh went. Answers are exact whatever stands here; it is about speed.';
