-- A device by name.
SELECT device_id, name, priority, metrics FROM api.devices WHERE tenant_id = %(tenant_id)s AND device_id = %(device_id)s
