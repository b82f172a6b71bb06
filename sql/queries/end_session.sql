-- End a session. One row if there was one.
DELETE FROM core.session WHERE session_id = %(session_id)s AND digest = %(digest)s RETURNING session_id
