-- The server's processes that work for this database, or for all, by part.
SELECT pid,
       CASE WHEN application_name LIKE 'hyperpulse refresher%%' THEN 'refresh'
            WHEN application_name = %(bench)s THEN 'bench'
            WHEN backend_type = 'client backend' THEN 'copy'
            ELSE 'rest' END AS part
  FROM pg_stat_activity
 WHERE datname = current_database() OR datid IS NULL OR datid = 0
