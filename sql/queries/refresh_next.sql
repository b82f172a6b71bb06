-- The state after a refresh: whether days are stale, how many refreshes found something to do, whether upkeep is due; one row.
SELECT EXISTS (SELECT FROM core.stale_day) AS stale,
       r.runs,
       coalesce(u.seen_at < now() - INTERVAL '1 hour', true)
         AND coalesce(u.failed_at < now() - INTERVAL '5 minutes', true) AS upkeep_due
  FROM core.run AS r, core.run AS u
 WHERE r.task = 'refresh' AND u.task = 'upkeep'
