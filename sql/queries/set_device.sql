-- Set a device's name and priorities; null keeps the present ones.
SELECT api.set_device(%(tenant_id)s, %(device_id)s, %(name)s::text, %(priority)s::int, %(metrics)s::jsonb)
