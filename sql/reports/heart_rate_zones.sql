-- How many minutes of the last 24 hours did each user spend in each heart rate zone?
SELECT tenant_id, user_id,
       count(*) FILTER (WHERE heart_rate_avg < 60) AS below_60,
       count(*) FILTER (WHERE heart_rate_avg >= 60 AND heart_rate_avg < 100) AS from_60,
       count(*) FILTER (WHERE heart_rate_avg >= 100 AND heart_rate_avg < 140) AS from_100,
       count(*) FILTER (WHERE heart_rate_avg >= 140) AS from_140
  FROM api.vitals_1m
 WHERE bucket >= now() - INTERVAL '24 hours' AND heart_rate_count > 0
 GROUP BY tenant_id, user_id
 ORDER BY tenant_id, user_id;
