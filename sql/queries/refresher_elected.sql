-- Whether a process is the refresher; one row. Unknown on the embedded database, whose connections share a session.
SELECT current_setting('hyperpulse.embedded', true) IS DISTINCT FROM 'on' AND api_internal.is_held(c) AS elected
  FROM core.claim AS c
 WHERE c.name = 'refresher'
