-- Begin a transaction that stores new samples by key; one row: the horizon below which quarters of an hour must be marked stale, in
-- microseconds since 1970, and the version of names.
BEGIN;
SELECT (extract(epoch FROM announced) * 1000000)::bigint, names_version FROM api_internal.begin_writing();
COPY core.sample (user_key, metric_key, device_key, ts, value) FROM STDIN (FORMAT binary)
