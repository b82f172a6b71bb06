-- What is stored of a kind, by block: see workload.py for the formulas.
WITH stored AS (
  SELECT u.user_id::bigint %% 1000000 AS person,
         (extract(epoch FROM r.ts) * 1000000)::bigint - %(start)s::bigint AS since,
         (round(r.heart_rate * 10) - 300)::bigint AS tenths,
         r.heart_rate, r.steps, r.calories
    FROM core.app_user AS u
    JOIN core.reading AS r USING (user_key)
   WHERE u.user_id ~ %(people)s
), numbered AS (
  SELECT *, since / %(step)s::bigint AS number FROM stored
), versioned AS (
  SELECT *, ((tenths - number * 7 - person * 13) %% 1900 + 1900) %% 1900 / 17 AS version FROM numbered
)
SELECT (number / %(size)s::bigint) * %(of)s::bigint + person AS block,
       count(*) AS readings,
       min(version)::int AS oldest,
       max(version)::int AS newest,
       bool_and(since >= 0 AND since %% %(step)s::bigint = 0
                AND heart_rate = (300 + (number * 7 + person * 13 + version * 17) %% 1900)::float8 / 10
                AND steps IS NOT DISTINCT FROM
                    CASE WHEN %(metrics)s = 3 THEN (number * 31 + person * 17 + version * 101) %% 1000 END
                AND calories IS NOT DISTINCT FROM
                    CASE WHEN %(metrics)s = 3
                         THEN ((number * 3 + person * 5 + version * 7) %% 10000)::float8 / 100 END) AS is_right
  FROM versioned
 GROUP BY 1
