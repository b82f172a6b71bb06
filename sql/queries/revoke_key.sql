-- Revoke a key; one row if there is one of that id.
UPDATE core.access_key SET revoked_at = coalesce(revoked_at, now()) WHERE key_id = %(key_id)s RETURNING key_id
