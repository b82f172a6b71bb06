-- Refreshes the event counts of stale days, newest first, in ranges no wider than the refresh window.
-- No SET clause: a procedure with one cannot commit.
CREATE PROCEDURE api_internal.refresh_stale_events()
LANGUAGE plpgsql AS $$
DECLARE
  trusted timestamptz;
  piece   record;
BEGIN
  IF NOT EXISTS (SELECT FROM core.stale_event_day) THEN
    RETURN;
  END IF;
  -- One at a time, by a claim of the session, since this procedure commits several times.
  IF NOT api_internal.claim('events', from_idle => true) THEN
    RETURN;
  END IF;
  COMMIT;
  SELECT h.events_materialized INTO trusted FROM core.horizon AS h;
  -- A claim records the version seen. A later write sets a new version, so its row stays. Rows that a writer
  -- has locked are skipped here and below: they are about to get a new version, and waiting for them could deadlock.
  UPDATE core.stale_event_day AS s
     SET claimed = s.version
    FROM (SELECT tenant_key, day FROM core.stale_event_day
           WHERE claimed IS DISTINCT FROM version FOR UPDATE SKIP LOCKED) AS free
   WHERE s.tenant_key = free.tenant_key AND s.day = free.day;
  COMMIT;
  FOR piece IN
    SELECT min(p.day) AS range_start, max(p.day) + INTERVAL '24 hours' AS range_end
      FROM (SELECT i.day, i.island,
                   (row_number() OVER (PARTITION BY i.island ORDER BY i.day) - 1)
                     / greatest(1, extract(epoch FROM api_internal.setting('refresh_window')::interval)::bigint / 86400) AS piece
              FROM (SELECT d.day, d.day - row_number() OVER (ORDER BY d.day) * INTERVAL '24 hours' AS island
                      FROM (SELECT DISTINCT day FROM core.stale_event_day WHERE claimed = version) AS d) AS i) AS p
     GROUP BY p.island, p.piece
     ORDER BY 1 DESC
  LOOP
    RAISE LOG 'hyperpulse: refreshing stale event counts from % to %', piece.range_start, piece.range_end;
    CALL api_internal.refresh_events(piece.range_start, least(piece.range_end, trusted), true);
    DELETE FROM core.stale_event_day AS s
     USING (SELECT tenant_key, day FROM core.stale_event_day
             WHERE day >= piece.range_start AND day < piece.range_end AND claimed = version
               FOR UPDATE SKIP LOCKED) AS done
     WHERE s.tenant_key = done.tenant_key AND s.day = done.day;
    COMMIT;
  END LOOP;
  PERFORM api_internal.release('events');
END
$$;

COMMENT ON PROCEDURE api_internal.refresh_stale_events IS
  'Refreshes the event counts of days that late events made stale; part of api.refresh; returns at once if another session is doing so.';
