-- Sets a user's weekly goal.
CREATE FUNCTION api.set_goal(tenant_id text, user_id text, metric text, target double precision) RETURNS void
LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  who CONSTANT int := api_internal.find_user(tenant_id, user_id);
BEGIN
  PERFORM api_internal.require_open(ARRAY[tenant_id]);
  IF who IS NULL THEN
    RAISE EXCEPTION 'the tenant % has no user %', tenant_id, user_id
      USING ERRCODE = 'no_data_found', HINT = 'api.users lists those that have readings.';
  ELSIF target IS NULL THEN
    DELETE FROM core.goal AS g WHERE g.user_key = who AND g.metric = set_goal.metric;
    RETURN;
  END IF;
  INSERT INTO core.goal AS g (user_key, metric, target) VALUES (who, metric, target)
  ON CONFLICT ON CONSTRAINT goal_identity DO UPDATE SET target = excluded.target;
END
$$;

COMMENT ON FUNCTION api.set_goal IS
  'Sets a user''s weekly goal for a metric (steps, calories, worn_minutes); null removes the goal.';
