-- Announce changed readings to live listeners.
SELECT api_internal.announce(%(user_keys)s, %(timestamps)s, %(mark)s)
