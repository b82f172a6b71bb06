-- About how much there is of each day of users, in days of a user with a reading a minute, for a move to cut by.
SELECT w.bucket AS day, sum(w.weight)::double precision AS weight
  FROM (SELECT r.bucket, count(*)::double precision AS weight
          FROM rollup.user_1d AS r WHERE r.user_key = ANY (%(user_keys)s::int[]) GROUP BY 1
        UNION ALL
        SELECT s.bucket, sum(s.samples) / 1440.0::double precision
          FROM rollup.sample_1d AS s WHERE s.user_key = ANY (%(user_keys)s::int[]) GROUP BY 1) AS w
 GROUP BY 1
 ORDER BY 1
