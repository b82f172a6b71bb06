-- Become the refresher for the lifetime of this session, unless another session is the refresher; one row.
SELECT api_internal.claim('refresher') AS elected,
       current_setting('hyperpulse.embedded', true) IS NOT DISTINCT FROM 'on' AS embedded
