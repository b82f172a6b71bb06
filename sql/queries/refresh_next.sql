-- The state after a refresh: whether days are stale, how many refreshes found something to do, whether upkeep is due; one row.
-- By the end of the index: EXISTS may walk through the pages of a backlog that is done.
SELECT (SELECT max(s.day) FROM core.stale_day AS s WHERE s.version > 0) IS NOT NULL AS stale,
       r.runs,
       coalesce(u.seen_at < now() - INTERVAL '1 hour', true)
         AND coalesce(u.failed_at < now() - INTERVAL '5 minutes', true) AS upkeep_due
  FROM core.run AS r, core.run AS u
 WHERE r.task = 'refresh' AND u.task = 'upkeep'
