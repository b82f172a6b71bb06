-- Tell live listeners whose readings changed.
SELECT api.announce(%(user_keys)s, %(timestamps)s, %(mark)s)
