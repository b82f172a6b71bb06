-- How many minutes of heart rate did each device give in the last day, and which devices were never the best?
SELECT d.tenant_id, d.device_id, d.name, d.priority, count(v.bucket) AS minutes
  FROM api.devices AS d
  LEFT JOIN api.vitals_1m AS v
         ON v.tenant_id = d.tenant_id AND v.heart_rate_device = d.device_id AND v.bucket >= now() - INTERVAL '24 hours'
 GROUP BY d.tenant_id, d.device_id, d.name, d.priority
 ORDER BY d.tenant_id, d.priority, d.device_id;
