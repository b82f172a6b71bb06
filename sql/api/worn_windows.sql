-- Worn windows with names in place of keys.
CREATE VIEW api.worn_windows WITH (security_barrier) AS
  SELECT t.tenant_id, u.user_id, d.device_id, w.ts, w.ends_at
    FROM core.worn_window AS w
    JOIN core.app_user AS u USING (user_key)
    JOIN core.device AS d USING (device_key)
    JOIN api_internal.visible_tenant AS t ON t.tenant_key = u.tenant_key;

COMMENT ON VIEW api.worn_windows IS 'When users wore a device, as it said itself: what it did not count then, was zero.';
COMMENT ON COLUMN api.worn_windows.tenant_id IS 'The tenant of the user; two tenants may have users of the same name.';
COMMENT ON COLUMN api.worn_windows.user_id IS 'The user who wore it, within the tenant.';
COMMENT ON COLUMN api.worn_windows.device_id IS 'The device that was worn.';
COMMENT ON COLUMN api.worn_windows.ts IS 'When the window begins.';
COMMENT ON COLUMN api.worn_windows.ends_at IS 'When it ends.';
