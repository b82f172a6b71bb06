-- Begin a transaction that writes readings; one row: up to where days must be marked stale, and the version of names.
BEGIN;
SELECT announced, names_version FROM api.begin_writing()
