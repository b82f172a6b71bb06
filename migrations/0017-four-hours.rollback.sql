SELECT pg_advisory_xact_lock(hashtext('hyperpulse refresh'));
-- One at a time: TimescaleDB drops a hypertable alone.
DROP TABLE rollup.device_4h;
DROP TABLE rollup.user_4h;
