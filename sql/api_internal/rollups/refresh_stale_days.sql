-- Rolls up stale days, newest first, a piece in each transaction.
-- No SET clause: a procedure with one cannot commit.
CREATE PROCEDURE api_internal.refresh_stale_days(deadline timestamptz, INOUT user_days bigint)
LANGUAGE plpgsql AS $$
DECLARE
  piece record;
  began timestamptz;
  most  int := 16;
BEGIN
  user_days := 0;
  SELECT 'infinity'::timestamptz AS day, 0 AS user_key, 0 AS user_days INTO piece;
  LOOP
    began := clock_timestamp();
    -- What a crash of the server undoes is marked as before.
    PERFORM pg_catalog.set_config('synchronous_commit', 'off', true);
    SELECT r.* INTO piece FROM api_internal.refresh_users(piece.day, piece.user_key, most) AS r;
    COMMIT;
    EXIT WHEN piece.day IS NULL;
    user_days := user_days + piece.user_days;
    EXIT WHEN clock_timestamp() >= deadline;
    IF piece.user_days > 0 THEN
      -- Users have a reading a minute or a hundred: pieces follow the time they take.
      most := CASE WHEN clock_timestamp() - began < INTERVAL '100 ms' THEN least(2 * most, 1000)
                   WHEN clock_timestamp() - began > INTERVAL '400 ms' THEN greatest(most / 2, 1) ELSE most END;
      -- Newer days may have become stale meanwhile; a backlog of older ones does not keep them waiting.
      IF EXISTS (SELECT FROM core.stale_day AS s WHERE s.day > piece.day) THEN
        piece.day := 'infinity';
        piece.user_key := 0;
      END IF;
    END IF;
  END LOOP;
END
$$;

COMMENT ON PROCEDURE api_internal.refresh_stale_days IS
  'Rolls up stale days, newest first, until none is left that no other refresher is at work on, or the deadline is over; returns how many days of users. A piece is one transaction, which a writer never waits for.';
