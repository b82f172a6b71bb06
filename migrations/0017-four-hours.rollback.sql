SELECT pg_advisory_xact_lock(hashtext('hyperpulse refresh'));
DROP TABLE rollup.user_4h, rollup.device_4h;
