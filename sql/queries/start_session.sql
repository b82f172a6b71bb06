-- Start a session of a key for so many hours. A hundred sessions that have expired are removed, and of this key's all but the
-- newest. One row if the key is in force.
WITH removed AS (
  DELETE FROM core.session
   WHERE session_id IN (SELECT session_id FROM core.session WHERE expires_at <= now() LIMIT 100)
      OR session_id IN (SELECT session_id FROM core.session WHERE key_id = %(key_id)s
                         ORDER BY created_at DESC OFFSET %(most)s - 1 LIMIT 100)
)
INSERT INTO core.session (session_id, key_id, digest, expires_at)
  SELECT %(session_id)s, key_id, %(digest)s, now() + %(hours)s * INTERVAL '1 hour'
    FROM core.access_key
   WHERE key_id = %(key_id)s AND revoked_at IS NULL AND expires_at > now()
  ON CONFLICT (session_id) DO UPDATE SET digest = excluded.digest
  RETURNING session_id
