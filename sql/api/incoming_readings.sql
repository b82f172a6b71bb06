-- Readings on their way in, in the types that tools write.
CREATE VIEW api.incoming_readings AS
  SELECT NULL::text AS tenant_id, NULL::text AS user_id, NULL::text AS device_id, NULL::timestamptz AS ts,
         NULL::double precision AS heart_rate, NULL::double precision AS steps, NULL::double precision AS calories
   WHERE false;

COMMENT ON VIEW api.incoming_readings IS
  'Takes INSERT and COPY FROM as api.readings does, and steps as tools write them that know no gaps: 72.0 is 72, and 72.5 is refused, where a column of whole numbers refuses the one and rounds the other. Holds nothing: what was written is in api.readings.';
COMMENT ON COLUMN api.incoming_readings.tenant_id IS 'Whose user; default where an INSERT does not say.';
COMMENT ON COLUMN api.incoming_readings.user_id IS 'Who was measured, within the tenant.';
COMMENT ON COLUMN api.incoming_readings.device_id IS 'What measured; default where an INSERT does not say.';
COMMENT ON COLUMN api.incoming_readings.ts IS 'When it was measured.';
COMMENT ON COLUMN api.incoming_readings.heart_rate IS 'Beats per minute; null where it was not measured.';
COMMENT ON COLUMN api.incoming_readings.steps IS 'Steps since the reading before, such as 72 or 72.0; null where they were not counted.';
COMMENT ON COLUMN api.incoming_readings.calories IS 'Kilocalories burnt since the reading before; null where they were not measured.';

CREATE TRIGGER incoming_readings_are_whole
  INSTEAD OF INSERT ON api.incoming_readings
  FOR EACH ROW EXECUTE FUNCTION api_internal.gather_incoming_row();

CREATE TRIGGER incoming_readings_are_gathered
  BEFORE INSERT ON api.incoming_readings
  FOR EACH STATEMENT EXECUTE FUNCTION api_internal.gather_readings();

CREATE TRIGGER incoming_readings_are_merged_together
  AFTER INSERT ON api.incoming_readings
  FOR EACH STATEMENT EXECUTE FUNCTION api_internal.merge_gathered();
