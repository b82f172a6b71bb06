-- Charge keys for what a process let them use, given as arrays of one length; returns what each has left, and its limits.
WITH used AS (
  SELECT k.key_id, k.requests_per_second * 2 AS most_requests, k.readings_per_second * 2 AS most_readings, k.bytes_per_day AS most_bytes,
         u.requests, u.readings, u.bytes
    FROM unnest(%(key_ids)s::text[], %(requests)s::float8[], %(readings)s::float8[], %(bytes)s::float8[])
         AS u (key_id, requests, readings, bytes)
    JOIN core.access_key AS k USING (key_id)
), held AS (
  -- In one order, so that two processes never wait for each other.
  SELECT a.* FROM core.key_allowance AS a WHERE a.key_id = ANY (%(key_ids)s) ORDER BY a.key_id FOR UPDATE
), left_over AS (
  SELECT u.key_id, u.most_requests, u.most_readings, u.most_bytes,
         coalesce(least(u.most_requests, h.requests_left + u.most_requests / 2 * s.seconds), u.most_requests, 0) - u.requests AS requests_left,
         coalesce(least(u.most_readings, h.readings_left + u.most_readings / 2 * s.seconds), u.most_readings, 0) - u.readings AS readings_left,
         coalesce(least(u.most_bytes, h.bytes_left + u.most_bytes / 86400 * s.seconds), u.most_bytes, 0) - u.bytes AS bytes_left
    FROM used AS u
    LEFT JOIN held AS h USING (key_id)
   CROSS JOIN LATERAL (SELECT extract(epoch FROM clock_timestamp() - h.as_of)::float8) AS s (seconds)
)
INSERT INTO core.key_allowance AS a (key_id, as_of, requests_left, readings_left, bytes_left)
  SELECT key_id, clock_timestamp(), requests_left, readings_left, bytes_left FROM left_over ORDER BY key_id
  ON CONFLICT (key_id) DO UPDATE
    SET as_of = excluded.as_of, requests_left = excluded.requests_left, readings_left = excluded.readings_left, bytes_left = excluded.bytes_left
  RETURNING a.key_id, a.requests_left AS requests, a.readings_left AS readings, a.bytes_left AS bytes
