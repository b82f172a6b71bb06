-- Set a device's name and priority; null keeps the present one.
SELECT api.set_device(%(tenant_id)s, %(device_id)s, %(name)s::text, %(priority)s::int)
