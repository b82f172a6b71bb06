-- How far a server has replayed the log, and of which timeline; one row. Of a primary it is the end of its log.
-- A login that may not see pg_stat_wal_receiver learns of a new timeline by the first restart point on it.
SELECT pg_is_in_recovery() AS in_recovery,
       CASE WHEN pg_is_in_recovery()
         THEN greatest((SELECT receiver.received_tli FROM pg_stat_wal_receiver AS receiver), point.timeline_id)
         ELSE ('x' || left(pg_walfile_name(pg_current_wal_flush_lsn()), 8))::bit(32)::integer
       END AS timeline,
       (CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_flush_lsn() END
        - '0/0'::pg_lsn)::bigint AS lsn,
       system.system_identifier AS system
  FROM pg_control_checkpoint() AS point, pg_control_system() AS system
