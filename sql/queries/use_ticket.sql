-- Use a ticket up. One row if it held: the id of the session or of the key that it is of.
DELETE FROM core.ticket WHERE digest = %(digest)s AND expires_at > now() RETURNING coalesce(session_id, key_id) AS id
