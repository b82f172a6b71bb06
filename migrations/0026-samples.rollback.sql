-- No earlier schema has a place for samples.
DO $$
BEGIN
  IF EXISTS (SELECT FROM core.sample) THEN
    RAISE EXCEPTION 'there are samples, which earlier releases cannot store'
      USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Export and delete them first, or restore a backup.';
  END IF;
END
$$;
DROP TABLE core.sample_series;
DROP TABLE core.sample;
