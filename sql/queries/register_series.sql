-- Note which devices measure which metrics of which users, by key.
INSERT INTO core.sample_series (user_key, metric_key, device_key)
SELECT DISTINCT i.user_key, i.metric_key, i.device_key
  FROM unnest(%(user_keys)s, %(metric_keys)s, %(device_keys)s) AS i (user_key, metric_key, device_key)
 ORDER BY i.user_key, i.metric_key, i.device_key
ON CONFLICT DO NOTHING
