-- End the sessions of a login.
SELECT pg_terminate_backend(a.pid, 5000) FROM pg_stat_activity AS a WHERE a.usename = %(name)s
