-- The end of the primary's log as far as it is flushed, and so at or behind every commit that was answered; one row. Fails on a replica.
SELECT left(pg_walfile_name(flushed.lsn), 8) AS timeline,
       (flushed.lsn - '0/0'::pg_lsn)::bigint AS lsn,
       system.system_identifier AS system
  FROM pg_current_wal_flush_lsn() AS flushed (lsn), pg_control_system() AS system
