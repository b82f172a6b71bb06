-- How far rollups can be trusted, and what is being done about the rest.
CREATE VIEW api.freshness AS
  SELECT l.level,
         h.materialized AS horizon,
         now() - h.materialized AS lag,
         (SELECT count(DISTINCT (s.user_key, s.day)) FROM core.stale_day AS s) AS stale_days,
         (SELECT count(*) FROM core.stale_event_day) AS stale_event_days,
         r.seen_at AS last_refresh,
         CASE WHEN j.failed AND j.began > coalesce(greatest(r.seen_at, r.failed_at), '-infinity') THEN
                (SELECT e.err_message FROM timescaledb_information.job_errors AS e
                  WHERE e.job_id = j.job_id ORDER BY e.start_time DESC LIMIT 1)
              WHEN r.failed_at > coalesce(r.seen_at, '-infinity') THEN r.failure END AS last_error,
         r.runner AS refreshed_by,
         r.finished_at AS last_change,
         r.finished_at - r.started_at AS last_took,
         r.done AS last_user_days,
         r.failures,
         r.failed_at AS last_failed,
         r.failure AS last_failure
    FROM core.horizon AS h
   CROSS JOIN core.run AS r
   CROSS JOIN unnest(ARRAY['15m', '1h', '1d']) AS l (level)
    -- A failure of the job is noted by TimescaleDB, not by the job: a procedure that commits cannot.
    LEFT JOIN (SELECT s.job_id, s.last_run_status = 'Failed' AS failed, s.last_run_started_at AS began
                 FROM timescaledb_information.jobs AS i
                 JOIN timescaledb_information.job_stats AS s USING (job_id)
                WHERE i.proc_schema = 'core' AND i.proc_name = 'run_refresh') AS j ON true
   WHERE r.task = 'refresh';

COMMENT ON VIEW api.freshness IS
  'By resolution: up to where rollups are trusted, how far that is behind now, and how many days of users, and of tenants events, are stale and read raw meanwhile. last_refresh is when a refresh last ended and refreshed_by who ran it; last_change, last_took and last_user_days are of the last one that found something to do; last_error is why the latest one failed, null where it did not; failures, last_failed and last_failure are of those that a service saw fail. Answers are exact whatever stands here; it is about speed.';
