-- Tell live listeners whose readings changed.
SELECT api_internal.announce(%(user_keys)s, %(timestamps)s, %(mark)s)
