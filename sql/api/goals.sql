-- What users mean to reach in a week.
CREATE VIEW api.goals AS
  SELECT t.tenant_id, u.user_id, g.metric, g.target
    FROM core.goal AS g
    JOIN core.app_user AS u USING (user_key)
    JOIN core.tenant AS t USING (tenant_key);

COMMENT ON VIEW api.goals IS 'What users mean to reach in a week; api.set_goal changes it.';
COMMENT ON COLUMN api.goals.tenant_id IS 'Whose user; two tenants may have a user of the same name.';
COMMENT ON COLUMN api.goals.user_id IS 'The user, within the tenant.';
COMMENT ON COLUMN api.goals.metric IS 'Of what: steps, calories (kilocalories) or worn_minutes.';
COMMENT ON COLUMN api.goals.target IS 'How much of it in a week.';
