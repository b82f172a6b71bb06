-- Announce to other processes that this one has live clients.
SELECT api_internal.notify('listeners', %(process)s)
