-- Tells live listeners, once the transaction commits, whose readings it changed.
CREATE FUNCTION api_internal.announce(user_keys int[], timestamps timestamptz[], mark text DEFAULT '') RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  IF cardinality(user_keys) > 20000 THEN
    PERFORM pg_notify('readings', 'many');
    RETURN;
  END IF;
  IF mark <> '' AND cardinality(user_keys) = 0 THEN
    PERFORM pg_notify('readings', mark || ':');
  END IF;
  -- Packed as they are: to sum them up by user here would cost a write several times as much. A notification
  -- holds less than 8000 bytes, and a reading takes 27; that leaves 80 for the mark and a number, without which
  -- PostgreSQL would deliver two that are the same only once.
  FOR item IN 1 .. coalesce(cardinality(user_keys), 0) BY 290 LOOP
    PERFORM pg_notify('readings', mark || '/' || nextval('core.stale_version') || ':' || encode(
      array_send(user_keys[item : item + 289]) || array_send(timestamps[item : item + 289]), 'base64'));
  END LOOP;
END
$$;

COMMENT ON FUNCTION api_internal.announce IS
  'Sends the readings of a batch, all of them changed, on the channel readings when the transaction commits: for 290 at a time the base64 of array_send(user_keys) || array_send(timestamps); for more than 20000 only the word many. Before it stand a mark of at most 40 characters, by which whoever wrote knows what was written, a slash, a number that makes each notification another, and a colon. Without readings the mark stands alone, with the colon; so does the service announce while nobody says on the channel listeners, every other second, that others listen.';
