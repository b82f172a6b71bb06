-- Become the refresher for the lifetime of this session, unless another session is the refresher; one row.
SELECT pg_try_advisory_lock(hashtext('hyperpulse refresher'), 0) AS elected,
       current_setting('hyperpulse.embedded', true) IS NOT DISTINCT FROM 'on' AS embedded
