-- Mark quarters of an hour stale.
SELECT api.mark_stale(%(user_keys)s, %(quarters)s)
