-- Drops samples and intervals. No SET clause: a procedure with one cannot commit.
CREATE PROCEDURE api_internal.drop_samples(range_start timestamptz, range_end timestamptz, INOUT is_dropped boolean DEFAULT false)
LANGUAGE plpgsql AS $$
DECLARE
  after_user int := 0;
BEGIN
  -- An interval reaches into the day after the range: until that day is closed, too, its hours may be computed again.
  is_dropped := api_internal.close_samples(range_end + INTERVAL '24 hours');
  COMMIT;
  IF NOT is_dropped THEN
    RETURN;
  END IF;
  -- From here on nothing changes there but by erasures, so no writer waits.
  WHILE after_user IS NOT NULL LOOP
    after_user := api_internal.keep_values(after_user, 100, range_start, range_end);
    COMMIT;
  END LOOP;
  BEGIN
    -- A query that reads the chunk, for as long as it likes, must not hold up all others.
    PERFORM set_config('lock_timeout', '1s', true);
    PERFORM public.drop_chunks('core.sample', older_than => range_end);
    PERFORM public.drop_chunks('core.interval', older_than => range_end);
  EXCEPTION
    WHEN lock_not_available THEN
      is_dropped := false;
  END;
  COMMIT;
END
$$;

COMMENT ON PROCEDURE api_internal.drop_samples IS
  'Drops the chunks of samples and of intervals before the end of a range, which is the range of the oldest chunk, and the worn windows that begin there, unless a stale day still needs them, or a query still reads them after a second; returns whether it did. The last values are kept. Nothing is accepted there afterwards, nor on the day after the range, regardless of the settings. Commits after each hundred users.';
