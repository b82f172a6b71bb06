-- Mark days stale, and tell live listeners whose readings changed.
SELECT api.mark_stale(%(stale_users)s, %(stale_days)s), api.announce(%(user_keys)s, %(timestamps)s, %(mark)s)
