-- The settings of a deployment.
CREATE VIEW api.settings AS
  SELECT name, value, description FROM core.setting;

COMMENT ON VIEW api.settings IS
  'The settings of a deployment, with their units; a null value switches the feature off.';
COMMENT ON COLUMN api.settings.name IS 'The name of the setting.';
COMMENT ON COLUMN api.settings.value IS 'The value as text; null switches the feature off.';
COMMENT ON COLUMN api.settings.description IS 'What the setting does, and its unit.';
