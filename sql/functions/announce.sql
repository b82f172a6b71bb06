-- Tells live listeners, once the transaction commits, whose readings it changed.
CREATE FUNCTION api.announce(user_keys int[], timestamps timestamptz[]) RETURNS void
LANGUAGE sql AS $$
  -- A notification holds at most 8000 bytes: 60 users of at most 90 bytes each stay below it.
  WITH touched AS (
    SELECT user_key, count(*) AS readings, min(ts) AS earliest, max(ts) AS latest,
           (row_number() OVER (ORDER BY user_key) - 1) / 60 AS message
      FROM unnest(user_keys, timestamps) AS r (user_key, ts)
     GROUP BY user_key
  )
  SELECT pg_notify('readings', json_agg(json_build_array(user_key, readings, earliest, latest))::text)
    FROM touched
   GROUP BY message
$$;

COMMENT ON FUNCTION api.announce IS
  'Sends [[user_key, readings, from, to], …] on the channel readings when the transaction commits: one message for 60 users.';
