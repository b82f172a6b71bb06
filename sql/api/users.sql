-- People by tenant.
CREATE VIEW api.users AS
  SELECT t.tenant_id, u.user_id, u.registered_at
    FROM core.app_user AS u
    JOIN core.tenant AS t USING (tenant_key);

COMMENT ON VIEW api.users IS 'Everyone with readings, by tenant, and since when they are known.';
