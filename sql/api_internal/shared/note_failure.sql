-- Records that a run of a task failed.
CREATE FUNCTION api_internal.note_failure(task text, message text) RETURNS void
LANGUAGE sql
SET search_path = pg_catalog, pg_temp AS $$
  UPDATE core.run AS r
     SET failures  = r.failures + 1,
         failed_at = clock_timestamp(),
         failure   = left(coalesce(nullif(note_failure.message, ''), 'no message'), 500)
   WHERE r.task = note_failure.task
$$;

COMMENT ON FUNCTION api_internal.note_failure IS
  'Records in core.run that a run of refresh or upkeep failed, and the first 500 characters of the reason. A procedure that commits cannot record its own failure, so its caller does.';
