-- The value of a setting.
CREATE FUNCTION api_internal.setting(name text) RETURNS text
LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN (SELECT s.value FROM core.setting AS s WHERE s.name = setting.name);
END
$$;

COMMENT ON FUNCTION api_internal.setting IS
  'The value of a setting in api.settings as text; null if the setting is switched off or unknown.';
