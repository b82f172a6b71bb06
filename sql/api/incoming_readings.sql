-- Readings on their way in, in the types that tools write.
CREATE VIEW api.incoming_readings AS
  SELECT NULL::text AS tenant_id, NULL::text AS user_id, NULL::text AS device_id, NULL::timestamptz AS ts,
         NULL::double precision AS heart_rate, NULL::double precision AS steps, NULL::double precision AS calories
   WHERE false;

COMMENT ON VIEW api.incoming_readings IS
  'Takes INSERT and COPY FROM as api.readings does, and steps as tools write them that know no gaps: 72.0 is 72, and 72.5 is refused, where a column of whole numbers refuses the one and rounds the other. Holds nothing: what was written is in api.readings.';

CREATE TRIGGER incoming_readings_are_whole
  INSTEAD OF INSERT ON api.incoming_readings
  FOR EACH ROW EXECUTE FUNCTION api_internal.gather_incoming_row();

CREATE TRIGGER incoming_readings_are_gathered
  BEFORE INSERT ON api.incoming_readings
  FOR EACH STATEMENT EXECUTE FUNCTION api_internal.gather_readings();

CREATE TRIGGER incoming_readings_are_merged_together
  AFTER INSERT ON api.incoming_readings
  FOR EACH STATEMENT EXECUTE FUNCTION api_internal.merge_gathered();
