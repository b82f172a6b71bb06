-- No earlier schema has a place for intervals.
DO $$
BEGIN
  IF EXISTS (SELECT FROM core.interval) OR EXISTS (SELECT FROM core.worn_window) OR EXISTS (SELECT FROM core.daily_total) THEN
    RAISE EXCEPTION 'there are intervals, which earlier releases cannot store'
      USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Export and delete them first, or restore a backup.';
  END IF;
END
$$;
DROP TABLE core.interval_series;
DROP TABLE core.daily_total;
DROP TABLE core.worn_window;
DROP TABLE core.interval;
DROP SEQUENCE core.interval_version;
ALTER TABLE core.metric DROP COLUMN is_whole;
