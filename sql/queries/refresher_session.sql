-- Whether a session of this process is there; one row.
SELECT EXISTS (SELECT FROM pg_stat_activity AS a WHERE a.pid = %(pid)s AND a.application_name = %(name)s) AS is_there
