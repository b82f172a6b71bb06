-- Store new samples by key, in a transaction that has begun.
COPY core.sample (user_key, metric_key, device_key, ts, value) FROM STDIN (FORMAT binary)
