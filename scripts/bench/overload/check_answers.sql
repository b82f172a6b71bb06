-- Summaries of a ragged range against the same from raw readings, of people drawn at random.
WITH asked AS (
  SELECT u.user_key, u.user_id, span.range_start, span.range_end
    FROM (SELECT * FROM core.app_user ORDER BY random() LIMIT %(people)s) AS u
   CROSS JOIN LATERAL (SELECT min(r.ts) + INTERVAL '7.5 seconds' AS range_start,
                              max(r.ts) - INTERVAL '3.3 seconds' AS range_end
                         FROM core.reading AS r WHERE r.user_key = u.user_key) AS span
   WHERE span.range_start < span.range_end
)
SELECT count(*),
       count(*) FILTER (WHERE (s.heart_rate_count, s.heart_rate_min, s.heart_rate_max, coalesce(s.steps, 0), s.first, s.last)
                               IS DISTINCT FROM (raw.heart_rate_count, raw.low, raw.high, raw.steps, raw.first, raw.last))
  FROM asked AS a
 CROSS JOIN LATERAL api.summary('default', a.user_id, a.range_start, a.range_end) AS s
 CROSS JOIN LATERAL (
   SELECT count(r.heart_rate) AS heart_rate_count, min(r.heart_rate) AS low, max(r.heart_rate) AS high,
          coalesce(sum(r.steps), 0)::bigint AS steps, min(r.ts) AS first, max(r.ts) AS last
     FROM core.reading AS r
    WHERE r.user_key = a.user_key AND r.ts >= a.range_start AND r.ts < a.range_end) AS raw
