-- Rolls up stale days, newest first, a piece in each transaction.
-- No SET clause: a procedure with one cannot commit.
CREATE PROCEDURE api_internal.refresh_stale_days(deadline timestamptz, INOUT user_days bigint)
LANGUAGE plpgsql AS $$
DECLARE
  piece record;
  after record;
  began timestamptz;
  most  int := 16;
BEGIN
  user_days := 0;
  SELECT 'infinity'::timestamptz AS day, 0 AS user_key, 0 AS user_days INTO piece;
  LOOP
    began := clock_timestamp();
    -- A piece that a crash of the server undoes is still marked.
    PERFORM pg_catalog.set_config('synchronous_commit', 'off', true);
    after := piece;
    SELECT r.* INTO piece FROM api_internal.refresh_users(after.day, after.user_key, most) AS r;
    COMMIT;
    EXIT WHEN piece.day IS NULL;
    -- One that made a chunk is done once more, however late it is.
    CONTINUE WHEN piece.day = after.day AND piece.user_key = after.user_key;
    user_days := user_days + piece.user_days;
    EXIT WHEN clock_timestamp() >= deadline;
    IF piece.user_days > 0 THEN
      -- Users have one reading a minute or a hundred, so the size of a piece follows the time that pieces take.
      most := CASE WHEN clock_timestamp() - began < INTERVAL '100 ms' THEN least(2 * most, 1000)
                   WHEN clock_timestamp() - began > INTERVAL '400 ms' THEN greatest(most / 2, 1) ELSE most END;
      -- Newer days may have become stale meanwhile, and come before a backlog of older ones. By the end of the index: in a plan
      -- that serves all days, EXISTS expects one at once and reads every mark, in each piece.
      IF (SELECT max(s.day) FROM core.stale_day AS s WHERE s.version > 0) > piece.day THEN
        piece.day := 'infinity';
        piece.user_key := 0;
      END IF;
    END IF;
  END LOOP;
END
$$;

COMMENT ON PROCEDURE api_internal.refresh_stale_days IS
  'Rolls up stale days, newest first, until none is left but those of other refreshers, or until the deadline; returns the number of user-days. A piece is one transaction, which writers never wait for.';
