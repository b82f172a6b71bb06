-- The numbers that may be changed.
CREATE VIEW api.settings AS
  SELECT name, value, description FROM core.setting;

COMMENT ON VIEW api.settings IS
  'What a deployment may change, with its unit; a null value switches the feature off.';
COMMENT ON COLUMN api.settings.name IS 'Which setting.';
COMMENT ON COLUMN api.settings.value IS 'Its value as text; null switches the feature off.';
COMMENT ON COLUMN api.settings.description IS 'What it does, and in which unit.';
