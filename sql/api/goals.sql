-- The weekly goals of users.
CREATE VIEW api.goals WITH (security_barrier) AS
  SELECT t.tenant_id, u.user_id, g.metric, g.target
    FROM core.goal AS g
    JOIN core.app_user AS u USING (user_key)
    JOIN api_internal.visible_tenant AS t USING (tenant_key);

COMMENT ON VIEW api.goals IS 'The weekly goals of users; api.set_goal changes them.';
COMMENT ON COLUMN api.goals.tenant_id IS 'The tenant of the user; two tenants may have users of the same name.';
COMMENT ON COLUMN api.goals.user_id IS 'The user, within the tenant.';
COMMENT ON COLUMN api.goals.metric IS 'The metric: steps, calories (kilocalories) or worn_minutes.';
COMMENT ON COLUMN api.goals.target IS 'The amount to reach in a week.';
