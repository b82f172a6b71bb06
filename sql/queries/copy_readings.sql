-- Begin a transaction that stores new readings by key; one row: the horizon below which days must be marked stale, in
-- microseconds since 1970, and the version of names.
BEGIN;
SELECT (extract(epoch FROM announced) * 1000000)::bigint, names_version FROM api_internal.begin_writing();
COPY core.reading (user_key, device_key, ts, heart_rate, steps, calories) FROM STDIN (FORMAT binary)
