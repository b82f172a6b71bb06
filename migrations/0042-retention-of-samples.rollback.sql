DO $$
BEGIN
  IF (SELECT isfinite(samples_from) FROM core.horizon) THEN
    RAISE EXCEPTION 'rollups hold what was measured before %, and samples and intervals do not', (SELECT samples_from FROM core.horizon)
      USING ERRCODE = 'object_not_in_prerequisite_state',
            DETAIL = 'The release before would compute these rollups again from what is left.',
            HINT = 'Restore a backup from before the migration, or give those samples up: UPDATE core.horizon SET samples_from = ''-infinity''.';
  END IF;
END
$$;
UPDATE core.setting
   SET description = 'interval: raw readings older than this are dropped and no longer accepted; null keeps all'
 WHERE name = 'raw_retention';
DROP TABLE core.kept_value;
ALTER TABLE core.horizon DROP CONSTRAINT samples_are_kept_as_long_as_readings;
ALTER TABLE core.horizon DROP COLUMN samples_from;
COMMENT ON TABLE core.horizon IS
  'Up to where rollups are trusted: those of readings below materialized, those of events below events_materialized, but for what is marked stale. It moves in steps, multiples of 15 minutes: announced first, so that writers below it mark from then on; materialized once what lies in between is marked. Raw readings before raw_from were dropped by retention, and no reading is accepted there any more.';
