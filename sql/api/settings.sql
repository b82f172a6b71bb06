-- The numbers that may be changed.
CREATE VIEW api.settings AS
  SELECT name, value, description FROM core.setting;

COMMENT ON VIEW api.settings IS
  'What a deployment may change, with its unit; a null value switches the feature off.';
