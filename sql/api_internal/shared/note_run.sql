-- Remembers that a run of a task has ended well.
CREATE FUNCTION api_internal.note_run(task text, started_at timestamptz, done bigint) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
  -- The clock, not now(): a procedure that never commits has begun its transaction with the run.
  ended   CONSTANT timestamptz := greatest(clock_timestamp(), note_run.started_at);
  -- An upkeep checks rollups each time; a refresh comes every few seconds and mostly finds nothing.
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
  'Remembers in core.run that a run of refresh or upkeep has ended, begun at a moment, with so many user-days refreshed or chunks changed; a refresh that found nothing to do is only seen. The runner is the application_name of the session.';
