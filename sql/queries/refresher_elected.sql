-- Whether a process is the refresher; one row. Unknown on the embedded database, whose connections share locks.
SELECT current_setting('hyperpulse.embedded', true) IS DISTINCT FROM 'on'
   AND EXISTS (SELECT
                 FROM pg_locks AS l
                WHERE l.locktype = 'advisory' AND l.classid = hashtext('hyperpulse refresher')::oid AND l.objid = 0
                  AND l.granted AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())) AS elected
