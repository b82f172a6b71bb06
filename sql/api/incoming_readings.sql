-- A write-only view of readings, with the column types that tools export.
CREATE VIEW api.incoming_readings AS
  SELECT NULL::text AS tenant_id, NULL::text AS user_id, NULL::text AS device_id, NULL::timestamptz AS ts,
         NULL::double precision AS heart_rate, NULL::double precision AS steps, NULL::double precision AS calories
   WHERE false;

COMMENT ON VIEW api.incoming_readings IS
  'Accepts INSERT and COPY FROM as api.readings does, and steps as exported by tools that have no nullable integers: 72.0 is stored as 72, and 72.5 is refused, where an integer column would refuse 72.0 in a COPY and round 72.5 in an INSERT. Holds no rows: the readings are in api.readings.';
COMMENT ON COLUMN api.incoming_readings.tenant_id IS 'The tenant of the user; an INSERT without it stores default.';
COMMENT ON COLUMN api.incoming_readings.user_id IS 'The user who was measured, within the tenant.';
COMMENT ON COLUMN api.incoming_readings.device_id IS 'The device that measured; an INSERT without it stores default.';
COMMENT ON COLUMN api.incoming_readings.ts IS 'When the reading was measured.';
COMMENT ON COLUMN api.incoming_readings.heart_rate IS 'Heart rate in beats per minute; null if not measured.';
COMMENT ON COLUMN api.incoming_readings.steps IS 'Steps since the previous reading, such as 72 or 72.0; null if not counted.';
COMMENT ON COLUMN api.incoming_readings.calories IS 'Kilocalories burnt since the previous reading; null if not measured.';

CREATE TRIGGER incoming_readings_are_whole
  INSTEAD OF INSERT ON api.incoming_readings
  FOR EACH ROW EXECUTE FUNCTION api_internal.gather_incoming_row();

CREATE TRIGGER incoming_readings_are_gathered
  BEFORE INSERT ON api.incoming_readings
  FOR EACH STATEMENT EXECUTE FUNCTION api_internal.gather_readings();

CREATE TRIGGER incoming_readings_are_merged_together
  AFTER INSERT ON api.incoming_readings
  FOR EACH STATEMENT EXECUTE FUNCTION api_internal.merge_gathered();
