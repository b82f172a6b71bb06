-- The devices that a user wore in a range.
SELECT device_id, name, priority, metrics
  FROM api.worn_devices(%(tenant_id)s, %(user_id)s, %(start)s::timestamptz, %(end)s::timestamptz)
