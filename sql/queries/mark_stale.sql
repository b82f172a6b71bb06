-- Mark quarters of an hour stale.
SELECT api_internal.mark_stale(%(user_keys)s, %(quarters)s)
