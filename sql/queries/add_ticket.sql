-- Add a ticket for some seconds, of a key or of a session of it; a hundred that have expired are removed. One row if what it is
-- of has not ended.
WITH removed AS (
  DELETE FROM core.ticket WHERE digest IN (SELECT digest FROM core.ticket WHERE expires_at <= now() LIMIT 100)
)
INSERT INTO core.ticket (digest, key_id, session_id, expires_at)
  SELECT %(digest)s, k.key_id, s.session_id, now() + %(seconds)s * INTERVAL '1 second'
    FROM core.access_key AS k
    LEFT JOIN core.session AS s ON s.key_id = k.key_id AND s.session_id = %(id)s
   WHERE k.key_id = %(key_id)s AND %(id)s IN (k.key_id, s.session_id)
  ON CONFLICT (digest) DO UPDATE SET expires_at = excluded.expires_at
  RETURNING expires_at
