-- Become the refresher for as long as this session lasts, unless another session is; one row.
SELECT pg_try_advisory_lock(hashtext('hyperpulse refresher'), 0) AS elected,
       current_setting('hyperpulse.embedded', true) IS NOT DISTINCT FROM 'on' AS embedded
