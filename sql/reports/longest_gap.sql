-- What was each user's longest gap between readings in the last seven days, and is it still open?
-- Finds all gaps from a quarter of an hour up; of shorter gaps only those that contain the end of a quarter.
SELECT DISTINCT ON (tenant_id, user_id) tenant_id, user_id, silent_from, silent_to, silent_to - silent_from AS gap, going_on
  FROM (SELECT tenant_id, user_id, last_ts AS silent_from, lead(first_ts, 1, now()) OVER of_user AS silent_to,
               lead(first_ts) OVER of_user IS NULL AS going_on
          FROM api.vitals_15m
         WHERE bucket >= date_trunc('day', now(), 'UTC') - INTERVAL '168 hours' AND bucket <= now()
        WINDOW of_user AS (PARTITION BY tenant_id, user_id ORDER BY bucket)) AS v
 ORDER BY tenant_id, user_id, gap DESC, silent_from;
