-- How far the rollups are up to date, and the state of the refresh.
CREATE VIEW api.freshness AS
  SELECT l.level,
         h.materialized AS horizon,
         now() - h.materialized AS lag,
         (SELECT count(*) FROM (SELECT FROM core.stale_day AS s WHERE s.version > 0 GROUP BY s.day, s.user_key) AS d) AS stale_days,
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
    -- TimescaleDB records a failure of the job; the job cannot, because a procedure that commits cannot catch errors.
    LEFT JOIN (SELECT s.job_id, s.last_run_status = 'Failed' AS failed, s.last_run_started_at AS began
                 FROM timescaledb_information.jobs AS i
                 JOIN timescaledb_information.job_stats AS s USING (job_id)
                WHERE i.proc_schema = 'core' AND i.proc_name = 'run_refresh') AS j ON true
   WHERE r.task = 'refresh';

COMMENT ON VIEW api.freshness IS
  'By resolution: up to where rollups answer, how far that lags behind now, and how many user-days and tenants'' event days are stale and read raw until a refresh. last_refresh is when the last refresh ended, refreshed_by the session that ran it; last_change, last_took and last_user_days describe the last refresh that found something to do; last_error is why the latest refresh failed, null if it succeeded; failures, last_failed and last_failure count and describe the failures that a service observed. Freshness affects only the speed of answers, never their exactness.';
COMMENT ON COLUMN api.freshness.level IS 'The resolution: 15m, 1h or 1d.';
COMMENT ON COLUMN api.freshness.horizon IS 'Before this moment rollups answer, except for stale quarters of an hour.';
COMMENT ON COLUMN api.freshness.lag IS 'How far the horizon is behind now.';
COMMENT ON COLUMN api.freshness.stale_days IS 'User-days with stale quarters of an hour, which are read raw until a refresh.';
COMMENT ON COLUMN api.freshness.stale_event_days IS 'Days of tenants with stale event counts, which are counted from events until a refresh.';
COMMENT ON COLUMN api.freshness.last_refresh IS 'When the last refresh ended.';
COMMENT ON COLUMN api.freshness.last_error IS 'Why the latest refresh failed; null if it succeeded.';
COMMENT ON COLUMN api.freshness.refreshed_by IS 'What ran the last refresh: a process of the service, or a job of the database.';
COMMENT ON COLUMN api.freshness.last_change IS 'When the last refresh that found something to do ended.';
COMMENT ON COLUMN api.freshness.last_took IS 'How long the last refresh that found something to do took.';
COMMENT ON COLUMN api.freshness.last_user_days IS 'How many user-days the last refresh that found something to do rolled up.';
COMMENT ON COLUMN api.freshness.failures IS 'The number of failed refreshes that a service observed.';
COMMENT ON COLUMN api.freshness.last_failed IS 'When the last failed refresh failed.';
COMMENT ON COLUMN api.freshness.last_failure IS 'Why the last failed refresh failed.';
