-- Each metric's latest value of the users that have these keys.
SELECT v.user_key, v.metric, v.value, v.ts, v.device_id
  FROM api.latest_values(%(user_keys)s::int[]) AS v
