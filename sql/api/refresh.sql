-- Brings the rollups up to date: moves the horizon, rolls up stale days, newest first, then counts events.
-- No SET clause: a procedure with one cannot commit.
CREATE PROCEDURE api.refresh(budget interval DEFAULT NULL)
LANGUAGE plpgsql AS $$
DECLARE
  started_at CONSTANT timestamptz := clock_timestamp();
  user_days  bigint := 0;
BEGIN
  PERFORM api_internal.end_bi_sessions();
  CALL api_internal.advance_horizon();
  CALL api_internal.refresh_stale_days(coalesce(started_at + budget, 'infinity'), user_days);
  CALL api_internal.refresh_new_events();
  CALL api_internal.refresh_stale_events();
  IF user_days > 0 OR NOT EXISTS (SELECT FROM core.run AS r
                                   WHERE r.task = 'refresh' AND r.seen_at > clock_timestamp() - INTERVAL '10 seconds') THEN
    PERFORM api_internal.note_run('refresh', started_at, user_days);
  END IF;
END
$$;

COMMENT ON PROCEDURE api.refresh IS
  'Brings the rollups up to date and moves the horizon; with a budget, leaves the remaining stale days to the next refresh once that much time has passed. Any number of refreshes may run at once. Ends sessions of BI logins whose transaction exceeds bi_time_limit. Answers are exact before, during and after a refresh, and also if it is killed: the next one rolls up the rest.';
