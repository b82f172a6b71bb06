-- Tell other processes that clients listen to this one.
SELECT pg_notify('listeners', %(process)s)
