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
COMMENT ON COLUMN api.freshness.level IS 'The resolution: 15m, 1h or 1d.';
COMMENT ON COLUMN api.freshness.horizon IS 'Up to here rollups answer, but for what is stale.';
COMMENT ON COLUMN api.freshness.lag IS 'How far the horizon is behind now.';
COMMENT ON COLUMN api.freshness.stale_days IS 'Days of users with something to roll up again, read from raw readings meanwhile.';
COMMENT ON COLUMN api.freshness.stale_event_days IS 'Days of tenants whose events are to be counted again.';
COMMENT ON COLUMN api.freshness.last_refresh IS 'When a refresh ended last.';
COMMENT ON COLUMN api.freshness.last_error IS 'Why the latest refresh failed; null where it did not.';
COMMENT ON COLUMN api.freshness.refreshed_by IS 'Who ran the last refresh: a service''s process, or a job of the database.';
COMMENT ON COLUMN api.freshness.last_change IS 'When a refresh that found something to do ended last.';
COMMENT ON COLUMN api.freshness.last_took IS 'How long that one took.';
COMMENT ON COLUMN api.freshness.last_user_days IS 'How many days of users that one rolled up.';
COMMENT ON COLUMN api.freshness.failures IS 'How many refreshes failed since the counting began.';
COMMENT ON COLUMN api.freshness.last_failed IS 'When a refresh failed last.';
COMMENT ON COLUMN api.freshness.last_failure IS 'Why that one failed.';
