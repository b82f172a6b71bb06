-- Readings with names in place of keys.
CREATE VIEW api.readings WITH (security_barrier) AS
  SELECT t.tenant_id, u.user_id, d.device_id, r.ts, r.heart_rate, r.steps, r.calories
    FROM core.reading AS r
    JOIN core.app_user AS u USING (user_key)
    JOIN core.device AS d USING (device_key)
    JOIN api_internal.visible_tenant AS t ON t.tenant_key = u.tenant_key;

COMMENT ON VIEW api.readings IS
  'Readings as they were sent, of every device, before the best device of each minute is chosen: heart_rate in beats per minute, calories in kilocalories, null if not measured. Writable: INSERT, UPDATE, DELETE and COPY FROM follow the rules of the service; tenant_id and device_id default to default, and an INSERT of an existing reading overwrites the metrics that the new row carries.';
COMMENT ON COLUMN api.readings.tenant_id IS 'The tenant of the user; an INSERT without it stores default.';
COMMENT ON COLUMN api.readings.user_id IS 'The user who was measured, within the tenant.';
COMMENT ON COLUMN api.readings.device_id IS 'The device that measured; an INSERT without it stores default.';
COMMENT ON COLUMN api.readings.ts IS 'When the reading was measured.';
COMMENT ON COLUMN api.readings.heart_rate IS 'Heart rate in beats per minute; null if not measured.';
COMMENT ON COLUMN api.readings.steps IS 'Steps since the previous reading; null if not counted.';
COMMENT ON COLUMN api.readings.calories IS 'Kilocalories burnt since the previous reading; null if not measured.';

CREATE TRIGGER readings_are_written_like_the_service_does
  INSTEAD OF INSERT OR UPDATE OR DELETE ON api.readings
  FOR EACH ROW EXECUTE FUNCTION api_internal.write_reading_row();

CREATE TRIGGER inserted_readings_are_gathered
  BEFORE INSERT ON api.readings
  FOR EACH STATEMENT EXECUTE FUNCTION api_internal.gather_readings();

CREATE TRIGGER inserted_readings_are_merged_together
  AFTER INSERT ON api.readings
  FOR EACH STATEMENT EXECUTE FUNCTION api_internal.merge_gathered();
