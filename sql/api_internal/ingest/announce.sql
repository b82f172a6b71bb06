-- Announces changed readings to live listeners when the transaction commits.
CREATE FUNCTION api_internal.announce(user_keys int[], timestamps timestamptz[], mark text DEFAULT '') RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  IF cardinality(user_keys) > 20000 THEN
    PERFORM api_internal.announce_many(t.tenant_id)
       FROM core.tenant AS t
      WHERE t.tenant_key IN (SELECT u.tenant_key FROM (SELECT DISTINCT unnest(user_keys)) AS k (user_key)
                                               JOIN core.app_user AS u USING (user_key));
    RETURN;
  END IF;
  IF mark <> '' AND cardinality(user_keys) = 0 THEN
    PERFORM api_internal.notify('readings', mark || ':');
  END IF;
  -- Sent unaggregated: grouping by user here would cost a write several times as much. A notification holds less than
  -- 8000 bytes, and a reading takes 27, which leaves 80 for the mark and a number. Without the number PostgreSQL would
  -- deliver equal notifications only once.
  FOR item IN 1 .. coalesce(cardinality(user_keys), 0) BY 290 LOOP
    PERFORM api_internal.notify('readings', mark || '/' || nextval('core.stale_version') || ':' || encode(
      array_send(user_keys[item : item + 289]) || array_send(timestamps[item : item + 289]), 'base64'));
  END LOOP;
END
$$;

COMMENT ON FUNCTION api_internal.announce IS
  'Announces the readings of a batch, all of them changed, on the channel readings of core.channel when the transaction commits: for each 290 the base64 of array_send(user_keys) || array_send(timestamps); for more than 20000 only the tenants, by api_internal.announce_many. The payload begins with a mark of at most 40 characters, by which the writer recognizes its own notification, a slash, a number that makes the notification unique, and a colon. Without readings the payload is the mark and a colon; the service announces that while no other process reports on the channel listeners, every other second, that it has clients.';
