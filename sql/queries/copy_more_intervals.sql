-- Store new intervals by key, in a transaction that holds their series; each takes the next version.
COPY core.interval (user_key, metric_key, device_key, ts, ends_at, value) FROM STDIN (FORMAT binary)
