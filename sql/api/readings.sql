-- Readings with their names.
CREATE VIEW api.readings AS
  SELECT t.tenant_id, u.user_id, d.device_id, r.ts, r.heart_rate, r.steps, r.calories
    FROM core.reading AS r
    JOIN core.app_user AS u USING (user_key)
    JOIN core.device AS d USING (device_key)
    JOIN core.tenant AS t ON t.tenant_key = u.tenant_key;

COMMENT ON VIEW api.readings IS
  'Every reading as it was sent: heart_rate in beats per minute, calories in kilocalories, null where it was not measured. All devices, before any rule between them. Writable: INSERT, UPDATE, DELETE and COPY FROM follow the rules of the service; tenant_id and device_id default to default, and an INSERT of what is there overwrites the metrics that it carries.';
COMMENT ON COLUMN api.readings.tenant_id IS 'Whose user; default where an INSERT does not say.';
COMMENT ON COLUMN api.readings.user_id IS 'Who was measured, within the tenant.';
COMMENT ON COLUMN api.readings.device_id IS 'What measured; default where an INSERT does not say.';
COMMENT ON COLUMN api.readings.ts IS 'When it was measured.';
COMMENT ON COLUMN api.readings.heart_rate IS 'Beats per minute; null where it was not measured.';
COMMENT ON COLUMN api.readings.steps IS 'Steps since the reading before; null where they were not counted.';
COMMENT ON COLUMN api.readings.calories IS 'Kilocalories burnt since the reading before; null where they were not measured.';

CREATE TRIGGER readings_are_written_like_the_service_does
  INSTEAD OF INSERT OR UPDATE OR DELETE ON api.readings
  FOR EACH ROW EXECUTE FUNCTION api_internal.write_reading_row();

CREATE TRIGGER inserted_readings_are_gathered
  BEFORE INSERT ON api.readings
  FOR EACH STATEMENT EXECUTE FUNCTION api_internal.gather_readings();

CREATE TRIGGER inserted_readings_are_merged_together
  AFTER INSERT ON api.readings
  FOR EACH STATEMENT EXECUTE FUNCTION api_internal.merge_gathered();
