-- Has writers note what they change of a tenant, for a move to another database.
CREATE FUNCTION api_internal.begin_move(tenant_id text) RETURNS int
LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  moving int;
BEGIN
  -- Writers have committed by then, so that the copy finds what they wrote; those that come later note it.
  LOCK TABLE core.horizon_lock IN EXCLUSIVE MODE;
  INSERT INTO core.tenant AS t (tenant_id) VALUES (tenant_id)
  ON CONFLICT ON CONSTRAINT tenant_id_is_unique DO NOTHING;
  SELECT t.tenant_key INTO moving FROM core.tenant AS t WHERE t.tenant_id = tenant_id;
  INSERT INTO core.moving_tenant (tenant_key, copied_until)
    SELECT moving, h.announced FROM core.horizon AS h
  ON CONFLICT DO NOTHING;
  IF FOUND THEN
    INSERT INTO core.touched_day (day, tenant_key, user_key)
      SELECT timestamptz '-infinity', moving, u.user_key FROM core.app_user AS u WHERE u.tenant_key = moving
      UNION ALL
      SELECT '-infinity', moving, NULL;
  END IF;
  RETURN moving;
END
$$;

COMMENT ON FUNCTION api_internal.begin_move IS
  'Begins to note in core.touched_day what changes of a tenant, and that everything is to be copied first; returns the key of the tenant. Does nothing where that has begun.';
