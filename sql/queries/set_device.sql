-- Name a device and set its priority; null keeps what it has.
SELECT api.set_device(%(tenant_id)s, %(device_id)s, %(name)s::text, %(priority)s::int)
