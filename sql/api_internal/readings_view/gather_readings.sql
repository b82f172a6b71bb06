-- Creates the temporary table that gathers the rows of an INSERT into api.readings.
CREATE FUNCTION api_internal.gather_readings() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  IF to_regclass('pg_temp.gathered_reading') IS NULL THEN
    -- With the constraints of core.reading, so that an error names the line of a COPY.
    CREATE TEMPORARY TABLE gathered_reading (
      ts         timestamptz NOT NULL,
      heart_rate double precision CONSTRAINT heart_rate_in_range CHECK (heart_rate BETWEEN 30 AND 220),
      calories   double precision CONSTRAINT calories_in_range CHECK (calories BETWEEN 0 AND 10000),
      item       bigint GENERATED ALWAYS AS IDENTITY,
      steps      int CONSTRAINT steps_in_range CHECK (steps BETWEEN 0 AND 100000),
      tenant_id  text COLLATE "C" NOT NULL,
      user_id    text COLLATE "C" NOT NULL,
      device_id  text COLLATE "C" NOT NULL,
      CONSTRAINT something_was_measured CHECK (num_nonnulls(heart_rate, calories, steps) > 0)
    ) ON COMMIT DELETE ROWS;
  END IF;
  RETURN NULL;
END
$$;

COMMENT ON FUNCTION api_internal.gather_readings IS
  'The trigger before an INSERT into api.readings or api.incoming_readings: gathers the readings in a temporary table, so that they are written together, in the order of all writers, which prevents deadlocks.';
