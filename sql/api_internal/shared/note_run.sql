-- Records that a run of a task succeeded.
CREATE FUNCTION api_internal.note_run(task text, started_at timestamptz, done bigint) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
  -- The clock, not now(), which is the start of the run in a procedure that never commits.
  ended   CONSTANT timestamptz := greatest(clock_timestamp(), note_run.started_at);
  -- An upkeep verifies rollups each time, whereas most refreshes find nothing to do.
  counted CONSTANT boolean := coalesce(note_run.done, 0) > 0 OR note_run.task = 'upkeep';
BEGIN
  UPDATE core.run AS r
     SET seen_at     = ended,
         runner      = coalesce(nullif(current_setting('application_name'), ''), session_user),
         started_at  = CASE WHEN counted THEN note_run.started_at ELSE r.started_at END,
         finished_at = CASE WHEN counted THEN ended ELSE r.finished_at END,
         done        = CASE WHEN counted THEN coalesce(note_run.done, 0) ELSE r.done END,
         runs        = r.runs + counted::int
   WHERE r.task = note_run.task;
END
$$;

COMMENT ON FUNCTION api_internal.note_run IS
  'Records in core.run that a run of refresh or upkeep ended: when it started, and how many user-days it refreshed or chunks it changed. A refresh that found nothing to do updates only seen_at and runner. The runner is the application_name of the session.';
