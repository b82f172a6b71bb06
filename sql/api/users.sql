-- Users by tenant.
CREATE VIEW api.users WITH (security_barrier) AS
  SELECT t.tenant_id, u.user_id, u.registered_at, u.time_zone
    FROM core.app_user AS u
    JOIN api_internal.visible_tenant AS t USING (tenant_key);

COMMENT ON VIEW api.users IS 'Users with readings or samples, by tenant, and when each was registered.';
COMMENT ON COLUMN api.users.tenant_id IS 'The tenant of the user; two tenants may have users of the same name.';
COMMENT ON COLUMN api.users.user_id IS 'The user, within the tenant.';
COMMENT ON COLUMN api.users.registered_at IS 'When the user''s first reading or sample arrived.';
COMMENT ON COLUMN api.users.time_zone IS
  'The IANA time zone that the user lives in, as api.set_time_zone was called; null where that is not known.';
