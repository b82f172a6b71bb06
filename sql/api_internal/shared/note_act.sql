-- Notes an administrative act in the audit.
CREATE FUNCTION api_internal.note_act(act text, tenant_id text, detail jsonb) RETURNS void
LANGUAGE sql AS $$
  INSERT INTO core.audit (act, key_id, tenant_id, detail)
    VALUES (note_act.act, nullif(current_setting('hyperpulse.key_id', true), ''), note_act.tenant_id, note_act.detail)
$$;

COMMENT ON FUNCTION api_internal.note_act IS
  'Notes an administrative act: by the key that the setting hyperpulse.key_id names, which the service sets for its transaction, and by the role of the session.';
