-- Begin a transaction that stores new samples by key; one row: the version of names.
BEGIN;
SELECT names_version FROM api_internal.begin_writing();
COPY core.sample (user_key, metric_key, device_key, ts, value) FROM STDIN (FORMAT binary)
