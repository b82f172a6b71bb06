-- Counts the events of new time, and moves the horizon of events.
-- No SET clause: a procedure with one cannot commit.
CREATE PROCEDURE api_internal.refresh_new_events()
LANGUAGE plpgsql AS $$
DECLARE
  horizon     core.horizon;
  new_horizon timestamptz;
BEGIN
  SELECT h.* INTO horizon FROM core.horizon AS h;
  IF horizon.events_materialized >= horizon.announced THEN
    RETURN;
  END IF;
  -- One at a time, by a claim of the session, since this procedure commits several times.
  IF NOT api_internal.claim('events', from_idle => true) THEN
    RETURN;
  END IF;
  COMMIT;
  -- Oldest first, so that the horizon moves with it.
  LOOP
    SELECT h.* INTO horizon FROM core.horizon AS h;
    new_horizon := least(horizon.announced, public.time_bucket(INTERVAL '15 minutes', horizon.events_materialized
                         + greatest(api_internal.setting('refresh_window')::interval, INTERVAL '15 minutes')));
    EXIT WHEN horizon.events_materialized >= new_horizon;
    CALL api_internal.refresh_events(horizon.events_materialized, new_horizon, false);
    UPDATE core.horizon SET events_materialized = new_horizon;
    COMMIT;
  END LOOP;
  PERFORM api_internal.release('events');
END
$$;

COMMENT ON PROCEDURE api_internal.refresh_new_events IS
  'Refreshes the event counts between the horizon of events and the announced horizon, below which writers mark, and moves the horizon of events; returns at once if another session is doing so.';
