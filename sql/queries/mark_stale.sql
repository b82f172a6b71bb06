-- Mark days stale.
SELECT api.mark_stale(%(user_keys)s, %(days)s)
