-- Announce to other processes that this one has live clients.
SELECT pg_notify('listeners', %(process)s)
