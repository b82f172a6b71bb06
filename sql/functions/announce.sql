-- Tells live listeners, once the transaction commits, whose readings it changed.
CREATE FUNCTION api.announce(user_keys int[], timestamps timestamptz[]) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  IF cardinality(user_keys) > 20000 THEN
    PERFORM pg_notify('readings', 'many');
    RETURN;
  END IF;
  -- Packed as they are: to sum them up by user here would cost a write several times as much. A notification
  -- holds less than 8000 bytes, and a reading takes 27.
  FOR item IN 1 .. coalesce(cardinality(user_keys), 0) BY 290 LOOP
    PERFORM pg_notify('readings', encode(
      array_send(user_keys[item : item + 289]) || array_send(timestamps[item : item + 289]), 'base64'));
  END LOOP;
END
$$;

COMMENT ON FUNCTION api.announce IS
  'Sends the readings of a batch, all of them changed, on the channel readings when the transaction commits: for 290 at a time the base64 of array_send(user_keys) || array_send(timestamps); for more than 20000 only the word many.';
