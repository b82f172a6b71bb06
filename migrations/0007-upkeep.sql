-- Columnstore for readings that no longer change, optional retention of raw readings, and checking the rollups.

ALTER TABLE core.reading SET (
  timescaledb.compress,
  timescaledb.compress_segmentby = 'user_key, device_key',
  timescaledb.compress_orderby = 'ts DESC'
);

INSERT INTO core.setting (name, value, description) VALUES
  ('late_window', '7 days',
   'interval: chunks of readings older than this are compressed; null compresses none');

CREATE TABLE core.verification (
  checked_at timestamptz NOT NULL DEFAULT now(),
  buckets    bigint NOT NULL,
  drift      bigint NOT NULL,
  CONSTRAINT verification_identity PRIMARY KEY (checked_at),
  CONSTRAINT verification_counts_are_not_negative CHECK (buckets >= 0 AND drift >= 0)
);
COMMENT ON TABLE core.verification IS
  'What the check of rollups against raw readings found: how many buckets were compared, and how many differed, which must be none.';

CREATE PROCEDURE core.run_upkeep(job_id int, config jsonb)
LANGUAGE plpgsql AS $$
BEGIN
  CALL api.upkeep();
END
$$;
COMMENT ON PROCEDURE core.run_upkeep IS 'What the upkeep job runs: api.upkeep().';

SELECT add_job('core.run_upkeep', INTERVAL '1 hour', job_name => 'hyperpulse upkeep', fixed_schedule => false);
