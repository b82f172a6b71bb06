-- Each metric's latest value.
CREATE FUNCTION api.latest(tenant_id text, user_id text) RETURNS TABLE (
  metric    text,
  value     double precision,
  ts        timestamptz,
  device_id text
)
LANGUAGE sql STABLE AS $$
  SELECT m.metric, v.value, v.ts, v.device_id
    FROM unnest(ARRAY['heart_rate', 'steps', 'calories']) AS m (metric)
   CROSS JOIN LATERAL (
     SELECT x.value, r.ts, d.device_id
       FROM core.reading AS r
      CROSS JOIN LATERAL (
        SELECT CASE m.metric WHEN 'heart_rate' THEN r.heart_rate WHEN 'steps' THEN r.steps ELSE r.calories END
      ) AS x (value)
       JOIN core.device AS d USING (device_key)
      WHERE r.user_key = api.find_user(latest.tenant_id, latest.user_id)
        AND x.value IS NOT NULL
      ORDER BY r.ts DESC, d.priority, d.device_key
      LIMIT 1
   ) AS v
$$;

COMMENT ON FUNCTION api.latest IS
  'The latest value of each metric of a user, when it was measured and by which device; at the same moment the best device. One row per metric ever measured.';
