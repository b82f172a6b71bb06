-- A page of a tenant's users, and when each was last seen.
SELECT user_id, last_seen FROM api_internal.seen_users(%(tenant_id)s, %(after)s::text, %(limit)s)
